"""Kill real trainings at named points and at random times, and check the record after each.

    OMP_NUM_THREADS=1 python scripts/kill_training.py --kills 200

Each training is a separate process, forked from a parent that has imported everything (imports would take most of the
time); some are whole `python -m mhc.train` commands, killed while they import. Eight other runs stay alive meanwhile,
two of them suspended, and must never be reported as lost.
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
from scripts import forks
from scripts.kill_points import POINTS, READY, stop_at
from scripts.live_runs import LiveRuns

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
OVERRIDES = (
    "model=micro", "trainer=cpu", "trainer.max_epochs=2", "data.rows=240", "name=debug_victim"
)  # fmt: skip
END_TIMEOUT = 60.0
"""Seconds after which a signalled training that has not ended counts as a fault."""
IMPORTING = "import"
RANDOM = "random time"


class Kill(NamedTuple):
    """One kill: its point and signal, the status at the next read, and the fault in it, else ""."""

    point: str
    signum: signal.Signals
    status: str
    fault: str


def fork_training(outputs: Path, log: Path, point: str | None) -> tuple[int, int, int]:
    """Start a training in a forked child; return its pid, the pipe it reports on and the pipe it waits for."""
    ready, report = os.pipe()
    wait, go = os.pipe()

    def train() -> None:
        os.close(ready)
        os.close(go)
        if point:
            stop_at(POINTS[point], report, wait)
        forks.train(overrides(outputs))

    pid = forks.start(train, log)
    os.close(report)
    os.close(wait)
    return pid, ready, go


def overrides(outputs: Path) -> list[str]:
    """Return the arguments of `python -m mhc.train`."""
    places = {"outputs": outputs, "models": outputs.parent / "models", "cache": outputs.parent / "cache"}
    return [*OVERRIDES, *(f"paths.{name}={place}" for name, place in places.items())]


def kill_at(point: str, signum: signal.Signals, outputs: Path, log: Path, lives: LiveRuns) -> Kill:
    """Run a training up to the point, kill it there, and check its record."""
    before = {folder.name for folder in every_folder(outputs)}
    pid, ready, go = fork_training(outputs, log, point)
    reached = os.read(ready, len(READY)) == READY
    if reached:
        os.kill(pid, signum)
    os.close(go)
    code = forks.wait(pid, END_TIMEOUT)
    os.close(ready)
    status, fault = look(outputs, before)
    allowed = POINTS[point].after_kill if signum == signal.SIGKILL else POINTS[point].after_request
    if not reached:
        fault = f"the training did not reach the point (exit {code})"
    elif code is None:
        fault = "it did not end"
    elif status not in allowed:
        fault = fault or f"{status} is none of {', '.join(sorted(allowed))}"
    return Kill(point, signum, status, fault or lives.fault())


def kill_in_time(point: str, signum: signal.Signals, outputs: Path, log: Path, lives: LiveRuns, after: float) -> Kill:
    """Kill a training `after` seconds from its start, at whatever point, and check its record."""
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
    code = forks.wait(pid, END_TIMEOUT)
    status, fault = look(outputs, before)
    if code is None:
        fault = "it did not end"
    elif status not in allowed_in_time(signum, code):
        fault = fault or f"{status} after exit {code}"
    return Kill(point, signum, status, fault or lives.fault())


def allowed_in_time(signum: signal.Signals, code: int | None) -> set[str]:
    """Return the statuses that the record may have after a kill at any time, by the exit code."""
    if code == 0:
        return {"completed"}
    if code == -signum:  # by the signal itself: the outcome could not be recorded, or there was no record yet
        return {"none", "lost"} | ({"completed"} if signum == signal.SIGKILL else set())
    return {"interrupted", "none", "completed"}


def every_folder(outputs: Path) -> list[Path]:
    """Return the folders of all runs, with or without a record."""
    return [*(folder for folder, _ in folders.iter_runs(outputs)), *folders.iter_without_record(outputs)]


def look(outputs: Path, before: set[str]) -> tuple[str, str]:
    """Return the status of the one new run as the next reader sees it, and the fault in it, else ""."""
    rules = policy.load().liveness
    new = [folder for folder in every_folder(outputs) if folder.name not in before]
    if not new:
        return "none", ""
    if len(new) > 1:
        return "?", f"{len(new)} new folders"
    if not (new[0] / "run.json").exists():
        return "none", ""
    try:
        shown = liveness.with_derived_status(store.read(new[0]), new[0], rules)
    except Unreadable as problem:
        return "torn", str(problem)
    fault = "" if shown.status is not Status.RUNNING else f"still running: {shown.process}"
    return shown.status.value, fault


def plan(kills: int, chance: random.Random) -> list[tuple[str, signal.Signals, float]]:
    """Return point, signal and time of each kill: half at the named points in turn, the rest at random times."""
    pairs = [(point, signum) for point in POINTS for signum in SIGNALS]
    chance.shuffle(pairs)
    at_points = [(*pairs[number % len(pairs)], 0.0) for number in range(kills // 2)]
    importing = [(IMPORTING, SIGNALS[number % 3], chance.uniform(0.0, 6.0)) for number in range(kills // 20)]
    rest = kills - len(at_points) - len(importing)
    at_random = [(RANDOM, SIGNALS[number % 3], chance.uniform(0.0, 5.0)) for number in range(rest)]
    mixed = [*at_points, *importing, *at_random]
    chance.shuffle(mixed)
    return mixed


def table(kills: list[Kill]) -> Table:
    """Return the result by point and signal."""
    rows = Table(title=f"{len(kills)} kills")
    for heading in ("point", *(signum.name for signum in SIGNALS), "faults"):
        rows.add_column(heading)
    for point in (IMPORTING, *POINTS, RANDOM):
        here = [kill for kill in kills if kill.point == point]
        cells = []
        for signum in SIGNALS:
            counts = Counter(kill.status for kill in here if kill.signum == signum)
            cells.append(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
        if here:
            rows.add_row(point, *cells, str(sum(bool(kill.fault) for kill in here)))
    return rows


def run(kills: int, seed: int, place: Path, console: Console) -> list[Kill]:
    """Carry out the plan and return all kills."""
    outputs, log = place / "outputs", place / "trainings.log"
    outputs.mkdir(parents=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process started in the background ignores it
    forks.import_training()
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
@click.option("--seed", default=0, show_default=True, help="Seed of the order, the points and the times.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the runs; default: a temporary one.")
def main(kills: int, seed: int, keep: Path | None) -> None:
    """Kill trainings and check their records: `python scripts/kill_training.py --kills 200`."""
    console = Console()
    with tempfile.TemporaryDirectory() as temporary:
        done = run(kills, seed, keep or Path(temporary), console)
    console.print(table(done))
    faults = [kill for kill in done if kill.fault]
    statuses = Counter(kill.status for kill in done)
    console.print(
        f"{len(done)} kills: {statuses['torn']} torn records, {statuses['running']} still running at the next read, "
        f"{sum('declared' in kill.fault for kill in faults)} times a live run was declared dead, {len(faults)} faults"
    )
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
