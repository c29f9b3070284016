"""Take over the runs of another tracker: find the files, plan what becomes of each run, carry it out.

The originals are only read. The same source gives the same ids, so a second import finds everything here already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import partial
from pathlib import Path

import msgspec

from mhc.errors import Conflict, MhcError, NotFound, Refused
from mhc.migrate import hydra, mhc_v1, records
from mhc.migrate.merge import iso
from mhc.migrate.source import Description, Found, Problem, read_bytes
from mhc.record import Event, Location, RunRecord
from mhc.runs import atomic, folders, store


class Action(StrEnum):
    """What becomes of a run of the source."""

    CREATE = "create"
    EXTEND = "extend"
    """It is here, and the source says more of it now."""
    KEEP = "keep"
    """It is here, and the source says nothing new."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the source, and what becomes of it."""

    action: Action
    run: records.Taken
    folder: Path


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that an import would do. `len(steps) + len(doubtful)` is the number of experiments in the source."""

    steps: list[Step]
    descriptions: int
    files: int
    experiments: int
    doubtful: list[Problem]
    """Experiments that cannot be taken: their id stands for another run."""
    problems: list[Problem]
    """Files and lines that could not be read."""

    def count(self, action: Action) -> int:
        """How many runs have this action."""
        return sum(step.action is action for step in self.steps)

    @property
    def complete(self) -> bool:
        """Whether every experiment in the source is one run here: counts in = counts out."""
        return len(self.steps) == self.experiments and not self.doubtful


def find(path: Path, ignore: Path | None = None) -> Iterator[Found]:
    """Read everything known below `path` (or the one file it is), in a fixed order; records of ours are left out.

    Raises:
        NotFound: there is nothing at `path`.
    """
    if path.is_file():
        yield from _read_file(path, path.parent)
        return
    if not path.is_dir():
        raise NotFound(f"There is nothing at {path}. Give a folder or a file of the tracker to import.")
    for at, names, files in os.walk(path, followlinks=False):
        folder = Path(at)
        if "run.json" in files or (ignore and folder.resolve() == ignore.resolve()):
            names.clear()
            continue
        names[:] = sorted(name for name in names if not name.startswith("."))
        if hydra.is_job(folder):
            yield from hydra.read_job(folder, path)
        for name in sorted(files):
            yield from _read_file(folder / name, path)


def _read_file(path: Path, root: Path) -> Iterator[Found]:
    reader = mhc_v1.reader_for(path)
    if reader is None:
        return
    source = path.relative_to(root).as_posix()
    data = read_bytes(path, root, source)
    if isinstance(data, Problem):
        yield data
        return
    modified = path.stat().st_mtime
    for found in reader(data, source):
        yield msgspec.structs.replace(found, modified=modified) if isinstance(found, Description) else found


def plan(path: Path, outputs: Path, *, now: datetime, zone: tzinfo, split: str | None = None) -> Plan:
    """What an import of `path` would do to `outputs`; changes nothing.

    Args:
        path: A folder with files of the old tracker, experiment folders, plain Hydra job folders; or one such file.
        outputs: The folder of our runs.
        now: The time that the history will give.
        zone: The time zone of the sources' times, which name none.
        split: val or test: where metrics belong whose split the source does not name; None leaves them out.

    Raises:
        NotFound: there is nothing at `path`, or nothing of a tracker that we know.
    """
    found = list(find(path, ignore=outputs))
    if not found:
        raise NotFound(
            f"Nothing in {path} is known: neither {', '.join(mhc_v1.READERS)} nor a folder in which Hydra ran a job."
        )
    told = [item for item in found if isinstance(item, Description)]
    experiments: dict[tuple[str, str], list[Description]] = {}
    for description in told:
        experiments.setdefault((description.tracker, description.key), []).append(description)
    take = partial(records.take, now=now, zone=zone, split=split)
    steps, doubtful = _steps(list(experiments.values()), outputs, take)
    return Plan(
        steps=steps,
        descriptions=len(told),
        files=len({description.source for description in told}),
        experiments=len(experiments),
        doubtful=doubtful,
        problems=[item for item in found if isinstance(item, Problem)],
    )


Take = Callable[[list[Description]], records.Taken]


def _steps(experiments: list[list[Description]], outputs: Path, take: Take) -> tuple[list[Step], list[Problem]]:
    """What becomes of each experiment, and why others cannot be taken."""
    here = {folder.name: folder for folder, _ in folders.walk(outputs)}
    steps: dict[str, Step] = {}
    doubtful = []
    for group in experiments:
        try:
            step = _step(group, here, outputs, take)
            if step.run.record.id in steps:
                raise Conflict(f"its id {step.run.record.id} is that of another experiment of this import; not taken")
            steps[step.run.record.id] = step
        except MhcError as error:
            doubtful.append(Problem(source=group[0].source, line=group[0].line, why=str(error)))
    return list(steps.values()), doubtful


def _step(group: list[Description], here: dict[str, Path], outputs: Path, take: Take) -> Step:
    run = take(group)
    folder = here.get(run.record.id)
    if folder is None:
        folder = _new_folder(run, outputs)
        if folder.resolve() != outputs.resolve() / folder.relative_to(outputs):
            raise Refused(f"{folder} is a link, or lies behind one; nothing is written there")
        return Step(action=Action.CREATE, run=run, folder=folder)
    record = store.read(folder)
    if record.imported.get("experiment") != group[0].key:
        raise Conflict(f"{record.id} is here already and is another run; not taken")
    known = records.descriptions_of(record)
    news = {records.content_key(d.content) for d in group} - {records.content_key(d.content) for d in known}
    if not news:
        return Step(action=Action.KEEP, run=run, folder=folder)
    return Step(action=Action.EXTEND, run=take([*known, *group]), folder=folder)


def _new_folder(run: records.Taken, outputs: Path) -> Path:
    parent = outputs if run.location is Location.ACTIVE else outputs / run.location.value
    return (parent / run.record.sweep.id if run.record.sweep else parent) / run.record.id


def carry_out(steps: list[Step], *, now: datetime) -> None:
    """Make the runs that are new, and add to the others what the source says now.

    Raises:
        MhcError: the disk is full or read-only; what was done before stays, and the import can be repeated.
    """
    for step in steps:
        if step.action is Action.CREATE:
            _create(step)
        elif step.action is Action.EXTEND:
            why = "; ".join(event.why for event in step.run.record.history)
            event = Event(at=iso(now), what="imported again", by="import", why=why)
            store.update(step.folder, lambda record, step=step: _extended(record, step.run.record), event)  # type: ignore[misc]


def _create(step: Step) -> None:
    step.folder.mkdir(parents=True, exist_ok=True)
    for name, data in step.run.files.items():
        path = step.folder / name
        path.parent.mkdir(exist_ok=True)
        atomic.write(path, data)
    with suppress(Conflict):  # another import was faster; the ids are the same, so is the run
        store.create(step.folder, step.run.record)


def _extended(record: RunRecord, learnt: RunRecord) -> RunRecord:
    """The record with what the source says now; name, tags, note, pin and category stay as the user has them."""
    return msgspec.structs.replace(
        record,
        status=learnt.status,
        status_reason=learnt.status_reason,
        started_at=learnt.started_at,
        ended_at=learnt.ended_at,
        metrics=learnt.metrics if learnt.metrics != type(learnt.metrics)() else record.metrics,
        lineage=learnt.lineage,
        imported=learnt.imported,
        note=record.note or learnt.note,
    )
