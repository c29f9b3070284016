"""Check runs under concurrent access: 4 writers, 2 cleaners and 4 readers at once on one outputs tree.

python scripts/stress_runs.py --seconds 60 --runs 5000

Each is a separate process. Writers register runs, record metrics, complete them, and write notes on other runs;
cleaners archive what the policy requires and restore some of it; readers update the index and query it. At the end
every run that was registered must be in exactly one place, with a readable record that contains all its notes.

A reader that scans while a run moves twice can miss it in that scan (measured: 1 in 10,000 at 90 moves a second); the
first table gives the number.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from mhc.errors import Conflict, NotFound, Refused, Unreadable
from mhc.facts import Metrics
from mhc.index.index import Index
from mhc.policy import Policy, load
from mhc.record import Category, Event, Lineage, Location, RunRecord, Status, encode
from mhc.retention import annotations as run_annotations
from mhc.retention import archive, cleanup, doctor
from mhc.runs import folders, store
from mhc.runs.live import LiveRun

ROLES = {"writer": 4, "cleaner": 2, "reader": 4}
EXPECTED_CONFLICTS = (Conflict, NotFound, Refused, Unreadable)
"""Expected when another process moves or changes the run at the same time; not counted as errors."""


class Tally(msgspec.Struct):
    """Counts of what one process did, and its errors."""

    role: str
    done: dict[str, int] = {}
    run_ids: list[str] = []
    """Ids of the runs it registered."""
    notes: dict[str, int] = {}
    """Number of notes it wrote, by run."""
    errors: list[str] = []
    slowest: float = 0.0
    """Seconds of its slowest turn."""

    def count(self, what: str, number: int = 1) -> None:
        """Add to the count of an action or observation."""
        self.done[what] = self.done.get(what, 0) + number


class Setup(NamedTuple):
    """The inputs of every process."""

    outputs: Path
    models: Path
    reports: Path
    policy: Policy
    seconds: float
    seed: int
    runs: int
    """Number of runs that exist from the beginning: each reader must see all of them."""


def build(outputs: Path, count: int) -> list[str]:
    """Create `count` ended runs, a third of them debug runs, a tenth failed, and return their ids."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ids = []
    for number in range(count):
        at = start + timedelta(minutes=number)
        run = f"old_{at:%Y%m%d_%H%M%S}_{number % 65536:04x}"
        status = Status.FAILED if number % 10 == 0 else Status.COMPLETED
        category = Category.DEBUG if number % 3 == 0 else Category.BASELINE
        when = at.isoformat().replace("+00:00", "Z")
        record = RunRecord(
            id=run, name="old", status=status, category=category, created_at=when, started_at=when, ended_at=when,
            history=[Event(at=when, what="registered", by="training")],
        )  # fmt: skip
        folder = outputs / run
        folder.mkdir(parents=True)
        (folder / "run.json").write_bytes(encode(record))
        ids.append(run)
    return ids


def write(setup: Setup, tally: Tally, chance: random.Random) -> None:
    """Register a run, record its metrics and complete it; then write a note on another process's run."""
    folder = folders.claim(setup.outputs, "debug" if chance.random() < 0.5 else "made", datetime.now(UTC))
    run = LiveRun.register(
        folder, name=folder.name.rsplit("_", 3)[0], description="", tags=[], note="", seed=1, category_said=None,
        sweep=None, group="", lineage=Lineage(), liveness=setup.policy.liveness, now=datetime.now(UTC),
    )  # fmt: skip
    tally.run_ids.append(folder.name)
    run.classify(setup.policy)
    run.note_metrics("test", Metrics(accuracy=chance.random(), f1_macro=chance.random()))
    run.complete()
    tally.count("runs registered")
    note(setup, tally, chance)


def note(setup: Setup, tally: Tally, chance: random.Random) -> None:
    """Add a line to the note of a run that another process may be moving."""
    existing = [folder for folder, _ in folders.iter_runs(setup.outputs, archives=chance.random() < 0.5)]
    folder = chance.choice(existing)
    try:
        annotation = run_annotations.write_note(f"{tally.role} {len(tally.notes)} {chance.random()}", append=True)
        run_annotations.apply(folder, annotation, by=tally.role, now=datetime.now(UTC))
    except EXPECTED_CONFLICTS:
        tally.count("moved meanwhile")
        return
    tally.notes[folder.name] = tally.notes.get(folder.name, 0) + 1
    tally.count("notes written")


def clean(setup: Setup, tally: Tally, chance: random.Random) -> None:
    """Archive the runs that are due, then restore some of them."""
    now = datetime.now(UTC)
    moved = cleanup.clean(setup.outputs, setup.models, setup.policy, now=now, by=tally.role, current=None)
    tally.count("runs archived", len(moved))
    archived = [folder for folder, place in folders.iter_runs(setup.outputs) if place is not Location.ACTIVE]
    for folder in chance.sample(archived, min(20, len(archived))):
        try:
            archive.restore([folder], setup.outputs, now=now, by=tally.role)
            tally.count("runs restored")
        except EXPECTED_CONFLICTS:
            tally.count("moved meanwhile")


def read(setup: Setup, tally: Tally, chance: random.Random) -> None:
    """Update the index and read all of it, as every reading command does."""
    index = Index(setup.outputs, setup.models, lambda: setup.policy.liveness)
    rows = index.rows()
    tally.count("readings")
    tally.count("runs read", len(rows))
    tally.count("reported lost", sum(row.shown == Status.LOST for row in rows))
    tally.count("unreadable", len(index.unreadable()))
    tally.count("seen in two places", len(rows) - len({row.id for row in rows}))
    tally.count("not seen", setup.runs - len({row.id for row in rows if row.name == "old"}))


TURNS: dict[str, Callable[[Setup, Tally, random.Random], None]] = {"writer": write, "cleaner": clean, "reader": read}


def work(role: str, number: int, setup: Setup, barrier: Barrier) -> None:
    """Repeat turns until the time is over, and write a report."""
    tally, chance = Tally(role), random.Random(setup.seed + number)
    barrier.wait()
    until = time.monotonic() + setup.seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        try:
            TURNS[role](setup, tally, chance)
        except Exception:  # every error is counted and shown at the end
            tally.errors.append(traceback.format_exc())
        tally.slowest = max(tally.slowest, time.monotonic() - begun)
    (setup.reports / f"{role}{number}.json").write_bytes(msgspec.json.encode(tally))


def run_processes(setup: Setup) -> list[Tally]:
    """Run all processes at once and return their reports."""
    context = get_context("spawn")
    barrier = context.Barrier(sum(ROLES.values()))
    names = [(role, number) for role, count in ROLES.items() for number in range(count)]
    processes = [context.Process(target=work, args=(role, number, setup, barrier)) for role, number in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    reports = [msgspec.json.decode(path.read_bytes(), type=Tally) for path in sorted(setup.reports.glob("*.json"))]
    missing = len(names) - len(reports)
    return reports + [Tally("?", errors=["a process ended without a report"])] * missing


def total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """Return the sums by name."""
    sums = Counter[str]()
    for count in counts:
        sums.update(count)
    return sums


def verdict(setup: Setup, old: list[str], tallies: list[Tally]) -> dict[str, int]:
    """Return the numbers of faults after the run: all must be 0."""
    places = Counter(folder.name for folder, _ in folders.iter_runs(setup.outputs))
    registered = {*old, *(run for tally in tallies for run in tally.run_ids)}
    notes = total(tally.notes for tally in tallies)
    events, torn, running = Counter[str](), 0, 0
    for folder, _ in folders.iter_runs(setup.outputs):
        try:
            record = store.read(folder)
        except Unreadable:
            torn += 1
            continue
        running += record.status is not Status.COMPLETED and record.name != "old"
        events[record.id] = sum(event.what == "noted" for event in record.history)
    index = Index(setup.outputs, setup.models, lambda: setup.policy.liveness)
    done = total(tally.done for tally in tallies)
    return {
        "runs lost": len(registered - places.keys()),
        "runs doubled": sum(count > 1 for count in places.values()),
        "runs that no process registered": len(places.keys() - registered),
        "records torn": torn,
        "runs with a wrong end": running,
        "notes lost": sum((notes - events).values()),
        "notes doubled": sum((events - notes).values()),
        "index and folders differ by": len({row.id for row in index.rows()} ^ places.keys()),
        "live runs reported lost": done["reported lost"],
        "records unreadable to a reader": done["unreadable"],
        "runs seen in two places by a reader": done["seen in two places"],
        "not seen by a reader, of 1,000 runs": 1000 * done["not seen"] // max(done["runs read"], 1),
        "findings of doctor": len(doctor.check(setup.outputs, setup.policy.liveness)),
        "errors": sum(len(tally.errors) for tally in tallies),
    }


def check(
    outputs: Path, reports: Path, *, seconds: float, runs: int, seed: int = 0
) -> tuple[list[Tally], dict[str, int]]:
    """Build the tree, run the processes, and count the faults."""
    policy = load()
    policy = msgspec.structs.replace(policy, archiving=msgspec.structs.replace(policy.archiving, keep_debug=runs // 20))
    reports.mkdir(parents=True, exist_ok=True)
    setup = Setup(outputs, outputs.parent / "models", reports, policy, seconds, seed, runs)
    old = build(outputs, runs)
    tallies = run_processes(setup)
    return tallies, verdict(setup, old, tallies)


def show(tallies: list[Tally], faults: dict[str, int], seconds: float) -> None:
    """Print what each role did, then the faults."""
    console = Console()
    table = Table("role", "processes", "what", "how often", "slowest turn", title=f"{seconds:g} s")
    for role, count in ROLES.items():
        of_role = [tally for tally in tallies if tally.role == role]
        done = total(tally.done for tally in of_role)
        slowest = max((tally.slowest for tally in of_role), default=0.0)
        for what, number in done.items():
            table.add_row(role, str(count), what, f"{number:,}", f"{slowest:.1f} s")
    console.print(table)
    verdicts = Table("must be 0", "is")
    for what, number in faults.items():
        verdicts.add_row(what, f"{number:,}", style="bold red" if number else "green")
    console.print(verdicts)
    for error in [error for tally in tallies for error in tally.errors][:3]:
        console.print(error, markup=False)


def main() -> None:
    """Run the check in a temporary folder; exit with 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=5000, help="runs that exist at the start")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mhc-stress-") as home:
        outputs, reports = Path(home) / "outputs", Path(home) / "reports"
        tallies, faults = check(outputs, reports, seconds=options.seconds, runs=options.runs, seed=options.seed)
    show(tallies, faults, options.seconds)
    sys.exit(1 if any(faults.values()) else 0)


if __name__ == "__main__":
    main()
