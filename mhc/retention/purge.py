"""Delete old runs from the archives: the only place in mhc that deletes runs, and only because a person typed it.

A run is first renamed into `outputs/.trash/`, then removed: a kill in between leaves it there, for `mhc doctor --fix`.
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


class Old(NamedTuple):
    """An archived run that is old enough."""

    folder: Path
    record: RunRecord
    location: Location
    bytes: int
    rested: timedelta
    """Since anything last happened to it."""
    kept: str | None
    """Why it is not deleted all the same."""


def plan(
    outputs: Path, models: Path, policy: LivenessPolicy, *, older_than: timedelta, now: datetime
) -> tuple[list[Old], list[str]]:
    """The archived runs to which nothing has happened for longer, oldest first; and why others cannot be judged.

    Raises:
        Unreadable: which runs the bundles in production came from cannot be told.
    """
    in_production = promoted_runs(models)
    moved = {entry.run: entry.at for entry in move_log.read(outputs)}
    old, unknown = [], []
    for folder, location in folders.walk(outputs):
        if location is Location.ACTIVE:
            continue
        try:
            record = liveness.derived(store.read(folder), folder, policy)
            rested = now - max(_times(record, moved.get(record.id)))
        except (Unreadable, ValueError) as problem:
            unknown.append(f"{folder} stays: {problem}")
            continue
        if rested > older_than:
            kept = protection(record, in_production=in_production)
            old.append(Old(folder, record, location, cleanup.size_of(folder), rested, kept))
    return sorted(old, key=lambda one: one.rested, reverse=True), unknown


def promoted_runs(models: Path) -> frozenset[str]:
    """The runs that bundles came from, by the bundles, by their promotions, and by the ledger.

    Raises:
        Unreadable: a bundle or the ledger cannot be read, so that its run is not known.
    """
    from mhc.production import ledger

    sources = cleanup.bundled_runs(models)
    bundles = [path.parent for path in models.glob("production/*/promotion.json")]
    for bundle in bundles:
        sources |= {store.read(bundle).id}
    return sources | {entry.run for entry in ledger.believed(models) if entry.what == "promoted"}


def _times(record: RunRecord, moved: str | None) -> Iterator[datetime]:
    """Every time at which something is on record to have happened to the run."""
    texts = [record.created_at, record.ended_at, moved, *(event.at for event in record.history)]
    return (timestamps.parse(text) for text in texts if text)


def purge(old: Sequence[Old], outputs: Path, *, now: datetime, by: str) -> tuple[list[Old], list[str]]:
    """Delete the runs that nothing protects; return those that are gone, and why others are not."""
    gone, left = [], []
    for one in old:
        if one.kept:
            continue
        try:
            _delete(one, outputs)
        except (MhcError, OSError) as problem:
            left.append(f"{one.folder} stays: {problem}")
            continue
        why = f"from {one.location.value}, untouched for {one.rested.days} days"
        move_log.add(outputs, run=one.record.id, what="purged", by=by, why=why, now=now)
        gone.append(one)
    return gone, left


def _delete(one: Old, outputs: Path) -> None:
    trash = trash_of(outputs)
    trash.mkdir(exist_ok=True)
    if one.folder.resolve() != outputs.resolve() / one.folder.relative_to(outputs):
        raise Refused(f"{one.folder} lies behind a link")
    grave = trash / f"{one.folder.name}.{os.urandom(4).hex()}"
    with atomic.locked(one.folder):
        if store.read(one.folder).revision != one.record.revision:
            raise Conflict("its record has changed meanwhile")
        one.folder.rename(grave)
    shutil.rmtree(grave)
    sweep = one.folder.parent
    if sweep.parent.name in ARCHIVES and not any(sweep.iterdir()):
        sweep.rmdir()


def trash_of(outputs: Path) -> Path:
    """The folder through which runs go when they are deleted.

    Raises:
        Refused: where it is a link.
    """
    trash = outputs / TRASH
    if trash.is_symlink():
        raise Refused(f"{trash} is a link, so nothing is moved into it. Remove the link and repeat the command")
    if not outputs.is_dir():
        raise NotFound(f"There is no folder {outputs}.")
    return trash
