"""Import the runs of another tracker: find its files, plan an action for each run, carry the actions out.

The source files are only read. The same source gives the same ids, so that a second import creates nothing.
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
from mhc.migrate.source import Description, Problem, SourceItem, read_bytes
from mhc.record import RECORD_FILE, Event, Location, RunRecord
from mhc.runs import atomic, folders, store


class Action(StrEnum):
    """What the import does with a run of the source."""

    CREATE = "create"
    EXTEND = "extend"
    """The run was imported before, and the source has new descriptions of it."""
    KEEP = "keep"
    """The run was imported before, and the source has nothing new."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the source, and what the import does with it."""

    action: Action
    run: records.ImportedRun
    folder: Path


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All actions of an import. `len(steps) + len(rejected)` is the number of experiments in the source."""

    steps: list[Step]
    descriptions: int
    files: int
    experiments: int
    rejected: list[Problem]
    """Experiments that cannot be imported: another run has their id."""
    problems: list[Problem]
    """Files and lines that could not be read."""

    def count(self, action: Action) -> int:
        """Return the number of runs with this action."""
        return sum(step.action is action for step in self.steps)

    @property
    def complete(self) -> bool:
        """Whether every experiment in the source becomes one run: counts in = counts out."""
        return len(self.steps) == self.experiments and not self.rejected


def find(path: Path, ignore: Path | None = None) -> Iterator[SourceItem]:
    """Yield the descriptions in all files of known trackers below `path`, or in the file `path`, in a fixed order.

    Folders with a record of ours are skipped.

    Raises:
        NotFound: if `path` does not exist.
    """
    if path.is_file():
        yield from _read_file(path, path.parent)
        return
    if not path.is_dir():
        raise NotFound(f"There is nothing at {path}. Give a folder or a file of the tracker to import")
    for at, names, files in os.walk(path, followlinks=False):
        folder = Path(at)
        if RECORD_FILE in files or (ignore and folder.resolve() == ignore.resolve()):
            names.clear()
            continue
        names[:] = sorted(name for name in names if not name.startswith("."))
        if hydra.is_job(folder):
            yield from hydra.read_job(folder, path)
        for name in sorted(files):
            yield from _read_file(folder / name, path)


def _read_file(path: Path, root: Path) -> Iterator[SourceItem]:
    reader = mhc_v1.reader_for(path)
    if reader is None:
        return
    source = path.relative_to(root).as_posix()
    data = read_bytes(path, root, source)
    if isinstance(data, Problem):
        yield data
        return
    modified = path.stat().st_mtime
    for item in reader(data, source):
        yield msgspec.structs.replace(item, modified=modified) if isinstance(item, Description) else item


def plan(path: Path, outputs: Path, *, now: datetime, zone: tzinfo, split: str | None = None) -> Plan:
    """Return the actions of an import of `path` into `outputs`; changes nothing.

    Args:
        path: a folder with files of the old tracker, experiment folders, plain Hydra job folders; or one such file.
        outputs: the folder of our runs.
        now: the time for the history.
        zone: the time zone of times in the source that name none.
        split: split of the metrics whose split the source does not name, val or test; None ignores such metrics.

    Raises:
        NotFound: if `path` does not exist, or has no file of a known tracker.
    """
    items = list(find(path, ignore=outputs))
    if not items:
        raise NotFound(
            f"{path} has neither {', '.join(mhc_v1.READERS)} nor a folder in which Hydra ran a job. "
            "Give a folder or a file of the tracker to import"
        )
    descriptions = [item for item in items if isinstance(item, Description)]
    experiments: dict[tuple[str, str], list[Description]] = {}
    for description in descriptions:
        experiments.setdefault((description.tracker, description.key), []).append(description)
    build = partial(records.build_run, now=now, zone=zone, split=split)
    steps, rejected = _steps(list(experiments.values()), outputs, build)
    return Plan(
        steps=steps,
        descriptions=len(descriptions),
        files=len({description.source for description in descriptions}),
        experiments=len(experiments),
        rejected=rejected,
        problems=[item for item in items if isinstance(item, Problem)],
    )


Build = Callable[[list[Description]], records.ImportedRun]


def _steps(experiments: list[list[Description]], outputs: Path, build: Build) -> tuple[list[Step], list[Problem]]:
    """Return the action for each experiment, and why others cannot be imported."""
    existing = {folder.name: folder for folder, _ in folders.iter_runs(outputs)}
    steps: dict[str, Step] = {}
    rejected = []
    for group in experiments:
        try:
            step = _step(group, existing, outputs, build)
            if step.run.record.id in steps:
                raise Conflict(
                    f"its id {step.run.record.id} is that of another experiment of this import; not imported"
                )
            steps[step.run.record.id] = step
        except MhcError as error:
            rejected.append(Problem(source=group[0].source, line=group[0].line, why=str(error)))
    return list(steps.values()), rejected


def _step(group: list[Description], existing: dict[str, Path], outputs: Path, build: Build) -> Step:
    run = build(group)
    folder = existing.get(run.record.id)
    if folder is None:
        folder = _new_folder(run, outputs)
        if folder.resolve() != outputs.resolve() / folder.relative_to(outputs):
            raise Refused(f"{folder} is a link, or is behind one; nothing is written there")
        return Step(action=Action.CREATE, run=run, folder=folder)
    record = store.read(folder)
    if record.imported.get("experiment") != group[0].key:
        raise Conflict(f"{record.id} exists and is another run; not imported")
    imported = records.descriptions_of(record)
    new = {records.content_key(d.content) for d in group} - {records.content_key(d.content) for d in imported}
    if not new:
        return Step(action=Action.KEEP, run=run, folder=folder)
    return Step(action=Action.EXTEND, run=build([*imported, *group]), folder=folder)


def _new_folder(run: records.ImportedRun, outputs: Path) -> Path:
    parent = outputs if run.location is Location.ACTIVE else outputs / run.location.value
    return (parent / run.record.sweep.id if run.record.sweep else parent) / run.record.id


def carry_out(steps: list[Step], *, now: datetime) -> None:
    """Create the new runs, and extend the others by the new descriptions.

    Raises:
        MhcError: if the disk is full or read-only; finished actions remain, and the import can be repeated.
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
    with suppress(Conflict):  # a concurrent import created it; equal ids are equal runs
        store.create(step.folder, step.run.record)


def _extended(record: RunRecord, update: RunRecord) -> RunRecord:
    """Return the record with the new facts; name, tags, note, pin and category stay as the user set them."""
    return msgspec.structs.replace(
        record,
        status=update.status,
        status_reason=update.status_reason,
        started_at=update.started_at,
        ended_at=update.ended_at,
        metrics=update.metrics if update.metrics != type(update.metrics)() else record.metrics,
        lineage=update.lineage,
        imported=update.imported,
        note=record.note or update.note,
    )
