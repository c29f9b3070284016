"""Send signals to the process of a parallel sweep, to its whole group, to one of its jobs; at named and random times.

Afterwards no process of the sweep is left, every run that has begun has ended with a reason on its record, and none is
lost, except a job that was itself killed by SIGKILL.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import psutil

from mhc.errors import MhcError
from mhc.record import RunRecord, Status
from mhc.runs import folders, store
from scripts.attacks.outcome import Outcome, outcome
from scripts.small_disks import TRAINING

ROOT = Path(__file__).resolve().parent.parent.parent
SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGINT)
WORDS = ("seed=1,2,3", "trainer.max_epochs=4000")
TIMEOUT = 60.0
"""Seconds after the signal after which a process that has not ended counts as a fault."""
RANDOM_TRIES = 20
ENDED = (Status.COMPLETED, Status.INTERRUPTED, Status.FAILED)


def run(work: Path, *, quick: bool) -> list[Outcome]:
    """Signal sweeps when two of their jobs are training, and (not in a quick run) at random times."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` ignores it, and a process in the background SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kinds: list[tuple[str, Callable[[psutil.Process], psutil.Process | None], signal.Signals]] = [
        (f"{signum.name} to the process of the sweep", parent, signum) for signum in SIGNALS
    ]
    kinds += [
        (f"{signum.name} to the group", group, signum) for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    ]
    kinds += [("SIGKILL to one job", one_job, signal.SIGKILL)]
    if quick:
        kinds = kinds[1:2]
    training = [
        (name, partial(attack, work / str(number), target, signum, None))
        for number, (name, target, signum) in enumerate(kinds)
    ]
    chance = random.Random(0)
    at_random = [
        (f"{signum.name} after {after:.1f} s", partial(attack, work / f"r{number}", parent, signum, after))
        for number in range(0 if quick else RANDOM_TRIES)
        for signum, after in [(SIGNALS[number % len(SIGNALS)], chance.uniform(0.0, 25.0))]
    ]
    outcomes = [outcome("signals to a sweep whose jobs are training", training)]
    return outcomes if quick else [*outcomes, outcome("signals to a sweep at random times", at_random)]


def parent(sweep: psutil.Process) -> psutil.Process | None:
    """Return the process that was started."""
    return sweep


def group(sweep: psutil.Process) -> psutil.Process | None:
    """Return None: all processes of the group get the signal, as they do from a terminal."""
    return None


def one_job(sweep: psutil.Process) -> psutil.Process | None:
    """Return the worker of one job."""
    return next(child for child in sweep.children() if "--process-name" in child.cmdline())


def attack(
    work: Path,
    target: Callable[[psutil.Process], psutil.Process | None],
    signum: signal.Signals,
    after: float | None,
) -> str:
    """Start a sweep, send the signal when two jobs train (or `after` seconds), and return what is wrong then."""
    work.mkdir(parents=True)
    with (work / "log").open("wb") as log, start(work, log) as started:
        sweep = psutil.Process(started.pid)
        if after is None:
            wait_for_jobs(started, work / "log", 2)
        else:
            time.sleep(after)
        family = [sweep, *sweep.children(recursive=True)] if started.poll() is None else []
        send(target(sweep), started.pid, signum)
        _, alive = psutil.wait_procs(family, timeout=TIMEOUT)
        names = [" ".join(process.cmdline()[-3:]) for process in alive]
        for process in alive:
            process.kill()
    if names:
        return f"still running: {'; '.join(names)}"
    killed = target is one_job and signum == signal.SIGKILL
    return flaw_of_records(work / "outputs", lost=int(killed)) or flaw_of_text(work / "log")


def start(work: Path, log: IO[bytes], words: Sequence[str] = WORDS) -> subprocess.Popen[bytes]:
    """Start a sweep, two jobs at a time, in a process group of its own."""
    places = [f"paths.{name}={work / name}" for name in ("outputs", "models", "cache")]
    fixed = ("--multirun", *TRAINING, "sweep=parallel", "callbacks.early_stopping=null")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "mhc.train", *fixed, *words, *places],
        cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def wait_for_jobs(started: subprocess.Popen[bytes], log: Path, count: int) -> None:
    """Wait until `count` jobs have trained an epoch."""
    ended = threading.Event()
    while log.read_bytes().count(b"epoch 1/") < count:
        if started.poll() is not None:
            raise RuntimeError(log.read_text()[-2000:])
        ended.wait(0.05)


def send(target: psutil.Process | None, pid: int, signum: signal.Signals) -> None:
    """Send the signal to the process, or to the group of `pid`."""
    try:
        if target is None:
            os.killpg(pid, signum)
        else:
            os.kill(target.pid, signum)
    except ProcessLookupError:
        return


def flaw_of_records(outputs: Path, lost: int) -> str:
    """Return what is wrong with the records of the sweep; `lost` runs may lack their outcome."""
    records: list[RunRecord] = []
    for folder, _ in folders.iter_runs(outputs):
        try:
            records.append(store.read(folder))
        except MhcError as problem:
            return str(problem)
    wrong = [record for record in records if record.status not in ENDED]
    if len(wrong) > lost:
        return f"{len(wrong)} of {len(records)} runs have no outcome on record: {wrong[0].status.value}"
    without = [record for record in records if record.status is Status.INTERRUPTED and not record.status_reason]
    return f"{len(without)} runs have no reason" if without else ""


def flaw_of_text(log: Path) -> str:
    """Return a traceback or bug report in what the sweep printed."""
    text = log.read_text(errors="replace")
    for word in ("Traceback", "This is a bug"):
        if word in text:
            return f"{word}: {text[text.index(word) :][:300]!r}"
    return ""
