"""Prove that runs survive a crowd: 4 writers, 2 cleaners and 4 readers at once on one outputs tree.

python scripts/stress_runs.py --seconds 60 --runs 5000

Each is a process of its own. Writers register runs, note metrics, complete them, and tag and note others; cleaners
archive what the policy says and restore some of it; readers bring the index up to date and ask it. At the end every
run that was ever made must be in exactly one place, with a record that can be read and all that was noted in it.

A reader that looks while a run moves twice can miss it that once (measured: 1 in 10,000 at 90 moves a second); how
often stands in the first table.
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
from mhc.retention import annotations as marks
from mhc.retention import archive, cleanup, doctor
from mhc.runs import folders, store
from mhc.runs.live import LiveRun

ROLES = {"writer": 4, "cleaner": 2, "reader": 4}
MEANWHILE = (Conflict, NotFound, Refused, Unreadable)
"""What a change may meet when somebody else moved or changed the run at that moment: a sentence, not an error."""


class Tally(msgspec.Struct):
    """What one process did, and what it met."""

    role: str
    done: dict[str, int] = {}
    made: list[str] = []
    """Ids of the runs it registered."""
    noted: dict[str, int] = {}
    """How many notes it wrote, by run."""
    errors: list[str] = []
    slowest: float = 0.0
    """Seconds of its slowest turn."""

    def count(self, what: str, often: int = 1) -> None:
        """Count something that was done or seen."""
        self.done[what] = self.done.get(what, 0) + often


class Stage(NamedTuple):
    """What every process gets."""

    outputs: Path
    models: Path
    reports: Path
    policy: Policy
    seconds: float
    seed: int
    runs: int
    """That lie there from the beginning: each reader must see them all."""


def build(outputs: Path, count: int) -> list[str]:
    """Lay down `count` ended runs, a third of them debug runs, a tenth failed, and return their ids."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    ids = []
    for number in range(count):
        at = begun + timedelta(minutes=number)
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


def write(stage: Stage, tally: Tally, chance: random.Random) -> None:
    """Register a run, let it measure and complete; then say something about a run of somebody else."""
    folder = folders.claim(stage.outputs, "debug" if chance.random() < 0.5 else "made", datetime.now(UTC))
    run = LiveRun.register(
        folder, name=folder.name.rsplit("_", 3)[0], description="", tags=[], note="", seed=1, category_said=None,
        sweep=None, group="", lineage=Lineage(), liveness=stage.policy.liveness, now=datetime.now(UTC),
    )  # fmt: skip
    tally.made.append(folder.name)
    run.classify(stage.policy)
    run.note_metrics("test", Metrics(accuracy=chance.random(), f1_macro=chance.random()))
    run.complete()
    tally.count("runs made")
    note(stage, tally, chance)


def note(stage: Stage, tally: Tally, chance: random.Random) -> None:
    """Add a line to the note of a run that may be moved at this moment."""
    known = [folder for folder, _ in folders.walk(stage.outputs, archives=chance.random() < 0.5)]
    folder = chance.choice(known)
    try:
        mark = marks.noted(f"{tally.role} {len(tally.noted)} {chance.random()}", append=True)
        marks.apply(folder, mark, by=tally.role, now=datetime.now(UTC))
    except MEANWHILE:
        tally.count("moved meanwhile")
        return
    tally.noted[folder.name] = tally.noted.get(folder.name, 0) + 1
    tally.count("notes written")


def clean(stage: Stage, tally: Tally, chance: random.Random) -> None:
    """Archive what is due, then bring some of it back."""
    now = datetime.now(UTC)
    moved = cleanup.clean(stage.outputs, stage.models, stage.policy, now=now, by=tally.role, current=None)
    tally.count("runs archived", len(moved))
    archived = [folder for folder, place in folders.walk(stage.outputs) if place is not Location.ACTIVE]
    for folder in chance.sample(archived, min(20, len(archived))):
        try:
            archive.restore([folder], stage.outputs, now=now, by=tally.role)
            tally.count("runs restored")
        except MEANWHILE:
            tally.count("moved meanwhile")


def read(stage: Stage, tally: Tally, chance: random.Random) -> None:
    """Bring the index up to date and look at all of it, as every reading command does."""
    index = Index(stage.outputs, stage.models, lambda: stage.policy.liveness)
    rows = index.rows()
    tally.count("readings")
    tally.count("runs read", len(rows))
    tally.count("said lost", sum(row.shown == Status.LOST for row in rows))
    tally.count("unreadable", len(index.unreadable()))
    tally.count("seen in two places", len(rows) - len({row.id for row in rows}))
    tally.count("not seen", stage.runs - len({row.id for row in rows if row.name == "old"}))


TURNS: dict[str, Callable[[Stage, Tally, random.Random], None]] = {"writer": write, "cleaner": clean, "reader": read}


def work(role: str, number: int, stage: Stage, barrier: Barrier) -> None:
    """Take turns until the time is over, and leave a report."""
    tally, chance = Tally(role), random.Random(stage.seed + number)
    barrier.wait()
    until = time.monotonic() + stage.seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        try:
            TURNS[role](stage, tally, chance)
        except Exception:  # the housekeeping guard of this proof: every error is counted and shown
            tally.errors.append(traceback.format_exc())
        tally.slowest = max(tally.slowest, time.monotonic() - begun)
    (stage.reports / f"{role}{number}.json").write_bytes(msgspec.json.encode(tally))


def crowd(stage: Stage) -> list[Tally]:
    """Let all of them work at once, and return what they report."""
    context = get_context("spawn")
    barrier = context.Barrier(sum(ROLES.values()))
    names = [(role, number) for role, count in ROLES.items() for number in range(count)]
    processes = [context.Process(target=work, args=(role, number, stage, barrier)) for role, number in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    reports = [msgspec.json.decode(path.read_bytes(), type=Tally) for path in sorted(stage.reports.glob("*.json"))]
    missing = len(names) - len(reports)
    return reports + [Tally("?", errors=["a process ended without a report"])] * missing


def total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """The sums by name."""
    summed = Counter[str]()
    for one in counts:
        summed.update(one)
    return summed


def verdict(stage: Stage, old: list[str], tallies: list[Tally]) -> dict[str, int]:
    """What is wrong afterwards: all numbers must be 0."""
    places = Counter(folder.name for folder, _ in folders.walk(stage.outputs))
    made = {*old, *(run for tally in tallies for run in tally.made)}
    noted = total(tally.noted for tally in tallies)
    written, torn, running = Counter[str](), 0, 0
    for folder, _ in folders.walk(stage.outputs):
        try:
            record = store.read(folder)
        except Unreadable:
            torn += 1
            continue
        running += record.status is not Status.COMPLETED and record.name != "old"
        written[record.id] = sum(event.what == "noted" for event in record.history)
    index = Index(stage.outputs, stage.models, lambda: stage.policy.liveness)
    did = total(tally.done for tally in tallies)
    return {
        "runs lost": len(made - places.keys()),
        "runs doubled": sum(count > 1 for count in places.values()),
        "runs nobody made": len(places.keys() - made),
        "records torn": torn,
        "runs with a wrong end": running,
        "notes lost": sum((noted - written).values()),
        "notes doubled": sum((written - noted).values()),
        "index and folders differ by": len({row.id for row in index.rows()} ^ places.keys()),
        "live runs said lost": did["said lost"],
        "records unreadable to a reader": did["unreadable"],
        "runs seen in two places by a reader": did["seen in two places"],
        "not seen by a reader, of 1,000 runs": 1000 * did["not seen"] // max(did["runs read"], 1),
        "findings of doctor": len(doctor.check(stage.outputs, stage.policy.liveness)),
        "errors": sum(len(tally.errors) for tally in tallies),
    }


def prove(
    outputs: Path, reports: Path, *, seconds: float, runs: int, seed: int = 0
) -> tuple[list[Tally], dict[str, int]]:
    """Build the tree, let the crowd work, and judge what is left."""
    policy = load()
    policy = msgspec.structs.replace(policy, archiving=msgspec.structs.replace(policy.archiving, keep_debug=runs // 20))
    reports.mkdir(parents=True, exist_ok=True)
    stage = Stage(outputs, outputs.parent / "models", reports, policy, seconds, seed, runs)
    old = build(outputs, runs)
    tallies = crowd(stage)
    return tallies, verdict(stage, old, tallies)


def show(tallies: list[Tally], wrong: dict[str, int], seconds: float) -> None:
    """What each role did, then what is wrong."""
    console = Console()
    table = Table("role", "processes", "what", "how often", "slowest turn", title=f"{seconds:g} s")
    for role, count in ROLES.items():
        mine = [tally for tally in tallies if tally.role == role]
        done = total(tally.done for tally in mine)
        slowest = max((tally.slowest for tally in mine), default=0.0)
        for what, often in done.items():
            table.add_row(role, str(count), what, f"{often:,}", f"{slowest:.1f} s")
    console.print(table)
    judged = Table("must be 0", "is")
    for what, number in wrong.items():
        judged.add_row(what, f"{number:,}", style="bold red" if number else "green")
    console.print(judged)
    for error in [error for tally in tallies for error in tally.errors][:3]:
        console.print(error, markup=False)


def main() -> None:
    """Run the proof in a temporary folder; exit code 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=5000, help="runs that lie there at the start")
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mhc-stress-") as home:
        outputs, reports = Path(home) / "outputs", Path(home) / "reports"
        tallies, wrong = prove(outputs, reports, seconds=said.seconds, runs=said.runs, seed=said.seed)
    show(tallies, wrong, said.seconds)
    sys.exit(1 if any(wrong.values()) else 0)


if __name__ == "__main__":
    main()
