"""Delete old runs from the archives, only at the user's command. No other code of mhc deletes runs.

A run is first renamed into `outputs/.trash/`, then removed. If the process is killed in between, the run stays there
until `mhc doctor --fix`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from mhc import timestamps
from mhc.errors import Conflict, MhcError, NotFound, Refused, Unreadable
from mhc.policy import LivenessPolicy
from mhc.record import ARCHIVES, Location, RunRecord
from mhc.retention import cleanup
from mhc.retention.rules import protection
from mhc.runs import atomic, folders, liveness, move_log, store

TRASH = ".trash"


class OldRun(NamedTuple):
    """An archived run that is old enough to be deleted."""

    folder: Path
    record: RunRecord
    location: Location
    bytes: int
    idle: timedelta
    """Time since the last event of the run."""
    protection: str | None
    """Why it must not be deleted; None if nothing protects it."""


def plan(
    outputs: Path, models: Path, policy: LivenessPolicy, *, older_than: timedelta, now: datetime
) -> tuple[list[OldRun], list[str]]:
    """Return the archived runs that were idle for longer, oldest first, and why other runs cannot be judged.

    Raises:
        Unreadable: if the runs that the bundles came from cannot be determined.
    """
    in_production = promoted_runs(models)
    moved = {entry.run: entry.at for entry in move_log.read(outputs)}
    old, problems = [], []
    for folder, location in folders.iter_runs(outputs):
        if location is Location.ACTIVE:
            continue
        try:
            record = liveness.with_derived_status(store.read(folder), folder, policy)
            idle = now - max(_times(record, moved.get(record.id)))
        except (Unreadable, ValueError) as problem:
            problems.append(f"{folder} stays: {problem}")
            continue
        if idle > older_than:
            reason = protection(record, in_production=in_production)
            old.append(OldRun(folder, record, location, cleanup.size_of(folder), idle, reason))
    return sorted(old, key=lambda run: run.idle, reverse=True), problems


def promoted_runs(models: Path) -> frozenset[str]:
    """Return the ids of the runs that bundles came from, by the bundles, their promotions and the ledger.

    Raises:
        Unreadable: if a bundle or the ledger cannot be read, so that a run may be missing.
    """
    from mhc.production import ledger

    sources = cleanup.bundled_runs(models)
    bundles = [path.parent for path in models.glob("production/*/promotion.json")]
    for bundle in bundles:
        sources |= {store.read(bundle).id}
    return sources | {entry.run for entry in ledger.verified_entries(models) if entry.what == "promoted"}


def _times(record: RunRecord, moved: str | None) -> Iterator[datetime]:
    """Yield the time of every recorded event of the run."""
    texts = [record.created_at, record.ended_at, moved, *(event.at for event in record.history)]
    return (timestamps.parse_time(text) for text in texts if text)


def purge(old: Sequence[OldRun], outputs: Path, *, now: datetime, by: str) -> tuple[list[OldRun], list[str]]:
    """Delete the runs that are not protected; return the deleted runs, and why others could not be deleted."""
    deleted, problems = [], []
    for run in old:
        if run.protection:
            continue
        try:
            _delete(run, outputs)
        except (MhcError, OSError) as problem:
            problems.append(f"{run.folder} stays: {problem}")
            continue
        why = f"from {run.location.value}, untouched for {run.idle.days} days"
        move_log.add(outputs, run=run.record.id, what="purged", by=by, why=why, now=now)
        deleted.append(run)
    return deleted, problems


def _delete(run: OldRun, outputs: Path) -> None:
    trash = trash_of(outputs)
    trash.mkdir(exist_ok=True)
    if run.folder.resolve() != outputs.resolve() / run.folder.relative_to(outputs):
        raise Refused(f"{run.folder} is behind a link")
    trashed = trash / f"{run.folder.name}.{os.urandom(4).hex()}"
    with atomic.locked(run.folder):
        if store.read(run.folder).revision != run.record.revision:
            raise Conflict("its record has changed meanwhile")
        run.folder.rename(trashed)
    shutil.rmtree(trashed)
    sweep = run.folder.parent
    if sweep.parent.name in ARCHIVES and not any(sweep.iterdir()):
        sweep.rmdir()


def trash_of(outputs: Path) -> Path:
    """Return the folder that runs are moved into before they are deleted.

    Raises:
        Refused: if it is a link.
        NotFound: if there is no folder `outputs`.
    """
    trash = outputs / TRASH
    if trash.is_symlink():
        raise Refused(f"{trash} is a link, so nothing is moved into it. Remove the link and repeat the command")
    if not outputs.is_dir():
        raise NotFound(f"There is no folder {outputs}. Give the folder of the runs with --outputs")
    return trash
