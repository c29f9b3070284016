"""Kill real trainings at named and at random points of their life, and check what is on record after each.

    OMP_NUM_THREADS=1 python scripts/kill_training.py --kills 200

Each training is a process of its own, forked from a parent that has imported everything (imports would take most of
the time); some are whole `python -m mhc.train` commands, killed while they import. Beside them eight runs live on, two
of them suspended, and must never be taken for dead.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mhc import policy
from mhc.errors import Unreadable
from mhc.record import Status
from mhc.runs import folders, liveness, store
from scripts.kill_points import POINTS, READY, stop_at
from scripts.live_runs import LiveRuns

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
OVERRIDES = (
    "model=micro", "trainer=cpu", "trainer.max_epochs=2", "data.rows=240", "name=debug_victim"
)  # fmt: skip
LONGEST = 60.0
"""Seconds after which a training that was told to end, and has not, counts as a fault."""
IMPORTING = "import"
RANDOM = "random time"


class Kill(NamedTuple):
    """One kill: where, by what, what the record said at the next look, and what is wrong with that."""

    point: str
    signum: signal.Signals
    status: str
    fault: str


def warm_up() -> None:
    """Import what a training imports, so that each forked one begins at once."""
    import pytorch_lightning  # noqa: F401
    import torch
    import transformers  # noqa: F401

    torch.set_num_threads(1)


def fork_training(outputs: Path, log: Path, point: str | None) -> tuple[int, int, int]:
    """Start a training in a forked child; return its pid, the pipe it reports on and the pipe it waits for."""
    ready, said = os.pipe()
    waits, go = os.pipe()
    pid = os.fork()
    if pid:
        os.close(said)
        os.close(waits)
        return pid, ready, go
    os.close(ready)
    os.close(go)
    code = 3
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        if point:
            stop_at(POINTS[point], said, waits)
        code = train(outputs)
    finally:
        os._exit(code)


def overrides(outputs: Path) -> list[str]:
    """Return what follows `python -m mhc.train`."""
    places = {"outputs": outputs, "models": outputs.parent / "models", "cache": outputs.parent / "cache"}
    return [*OVERRIDES, *(f"paths.{name}={place}" for name, place in places.items())]


def train(outputs: Path) -> int:
    """Carry out `python -m mhc.train` in this process and return its exit code."""
    import mhc.train

    sys.argv = ["mhc.train", *overrides(outputs)]
    try:
        mhc.train.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def ended(pid: int) -> int:
    """Wait for the process and return its exit code, negative for a signal; -1000 where it does not end."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1000


def kill_at(point: str, signum: signal.Signals, outputs: Path, log: Path, lives: LiveRuns) -> Kill:
    """Let a training come to the point, kill it there, and check."""
    before = {folder.name for folder in every_folder(outputs)}
    pid, ready, go = fork_training(outputs, log, point)
    reached = os.read(ready, len(READY)) == READY
    if reached:
        os.kill(pid, signum)
    os.close(go)
    code = ended(pid)
    os.close(ready)
    status, fault = look(outputs, before)
    allowed = POINTS[point].killed if signum == signal.SIGKILL else POINTS[point].asked
    if not reached:
        fault = f"the training never came to the point (exit {code})"
    elif code == -1000:
        fault = "it did not end"
    elif status not in allowed:
        fault = fault or f"{status} is none of {', '.join(sorted(allowed))}"
    return Kill(point, signum, status, fault or lives.fault())


def kill_in_time(point: str, signum: signal.Signals, outputs: Path, log: Path, lives: LiveRuns, after: float) -> Kill:
    """Kill a training `after` seconds from its start, wherever it is then, and check."""
    before = {folder.name for folder in every_folder(outputs)}
    if point == IMPORTING:
        command = [sys.executable, "-m", "mhc.train", *overrides(outputs)]
        with log.open("ab") as file:
            pid = os.posix_spawn(
                sys.executable,
                command,
                os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
                file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)],
            )
    else:
        pid, ready, go = fork_training(outputs, log, None)
        os.close(ready)
        os.close(go)
    time.sleep(after)
    os.kill(pid, signum)
    code = ended(pid)
    status, fault = look(outputs, before)
    if code == -1000:
        fault = "it did not end"
    elif status not in allowed_in_time(signum, code):
        fault = fault or f"{status} after exit {code}"
    return Kill(point, signum, status, fault or lives.fault())


def allowed_in_time(signum: signal.Signals, code: int) -> set[str]:
    """Return what the record may show after a kill at any time, by how the process ended."""
    if code == 0:
        return {"completed"}
    if code == -signum:  # by the signal itself: nobody could write a last word, or there was nothing to write yet
        return {"none", "lost"} | ({"completed"} if signum == signal.SIGKILL else set())
    return {"interrupted", "none", "completed"}


def every_folder(outputs: Path) -> list[Path]:
    """Return the folders of all runs, with a record or without."""
    return [*(folder for folder, _ in folders.walk(outputs)), *folders.without_record(outputs)]


def look(outputs: Path, before: set[str]) -> tuple[str, str]:
    """Return the status that the next reader sees of the one new run, and what is wrong."""
    rules = policy.load().liveness
    new = [folder for folder in every_folder(outputs) if folder.name not in before]
    if not new:
        return "none", ""
    if len(new) > 1:
        return "?", f"{len(new)} new folders"
    if not (new[0] / "run.json").exists():
        return "none", ""
    try:
        shown = liveness.derived(store.read(new[0]), new[0], rules)
    except Unreadable as problem:
        return "torn", str(problem)
    fault = "" if shown.status is not Status.RUNNING else f"still running: {shown.process}"
    return shown.status.value, fault


def plan(kills: int, chance: random.Random) -> list[tuple[str, signal.Signals, float]]:
    """Return where, by what and when to kill: half at the named points in turn, the rest at random times."""
    pairs = [(point, signum) for point in POINTS for signum in SIGNALS]
    chance.shuffle(pairs)
    at_points = [(*pairs[number % len(pairs)], 0.0) for number in range(kills // 2)]
    importing = [(IMPORTING, SIGNALS[number % 3], chance.uniform(0.0, 6.0)) for number in range(kills // 20)]
    left = kills - len(at_points) - len(importing)
    at_random = [(RANDOM, SIGNALS[number % 3], chance.uniform(0.0, 5.0)) for number in range(left)]
    mixed = [*at_points, *importing, *at_random]
    chance.shuffle(mixed)
    return mixed


def table(kills: list[Kill]) -> Table:
    """Return the result by point and signal."""
    shown = Table(title=f"{len(kills)} kills")
    for heading in ("point", *(signum.name for signum in SIGNALS), "faults"):
        shown.add_column(heading)
    for point in (IMPORTING, *POINTS, RANDOM):
        here = [kill for kill in kills if kill.point == point]
        cells = []
        for signum in SIGNALS:
            counted = Counter(kill.status for kill in here if kill.signum == signum)
            cells.append(", ".join(f"{count} {status}" for status, count in sorted(counted.items())))
        if here:
            shown.add_row(point, *cells, str(sum(bool(kill.fault) for kill in here)))
    return shown


def run(kills: int, seed: int, place: Path, console: Console) -> list[Kill]:
    """Carry out the plan and return all kills."""
    outputs, log = place / "outputs", place / "trainings.log"
    outputs.mkdir(parents=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # started in the background, it would be ignored
    warm_up()
    done: list[Kill] = []
    with LiveRuns(outputs, count=8, suspended=2) as lives:
        for number, (point, signum, after) in enumerate(plan(kills, random.Random(seed)), 1):
            if point in POINTS:
                kill = kill_at(point, signum, outputs, log, lives)
            else:
                kill = kill_in_time(point, signum, outputs, log, lives, after)
            done.append(kill)
            if kill.fault:
                console.print(f"{number}: {point}, {signum.name}, after {after:.2f} s: {kill.fault}", style="red")
            elif number % 20 == 0:
                console.print(f"{number} of {kills}")
        dead = lives.end()
    if dead:
        done.append(Kill(RANDOM, signal.SIGKILL, "?", dead))
    return done


@click.command()
@click.option("--kills", default=200, show_default=True, help="How many trainings to kill.")
@click.option("--seed", default=0, show_default=True, help="Of the order, the points and the times.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where the runs lie; else a temporary folder.")
def main(kills: int, seed: int, keep: Path | None) -> None:
    """Kill trainings and check their records: `python scripts/kill_training.py --kills 200`."""
    console = Console()
    with tempfile.TemporaryDirectory() as temporary:
        done = run(kills, seed, keep or Path(temporary), console)
    console.print(table(done))
    faults = [kill for kill in done if kill.fault]
    told = Counter(kill.status for kill in done)
    console.print(
        f"{len(done)} kills: {told['torn']} torn records, {told['running']} still running at the next read, "
        f"{sum('declared' in kill.fault for kill in faults)} times a live run was declared dead, {len(faults)} faults"
    )
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
