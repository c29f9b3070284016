"""Archive and restore runs that the user names, under the same protections as the cleanup by policy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mhc import disk
from mhc.errors import Conflict, MhcError, Refused
from mhc.policy import LivenessPolicy
from mhc.record import Location
from mhc.retention import cleanup
from mhc.retention.rules import Due, protection
from mhc.runs import folders, liveness, store


def plan_archive(
    selected: Sequence[Path], outputs: Path, models: Path, to: Location, policy: LivenessPolicy, why: str
) -> list[Due]:
    """Return the runs to archive. A single protected run refuses the whole request, before anything is moved.

    Raises:
        Refused: if a run is protected, or archived already.
        Unreadable: if a record cannot be read, so that its protection is unknown.
    """
    in_production = cleanup.bundled_runs(models)
    due = []
    for folder in selected:
        record = liveness.with_derived_status(store.read(folder), folder, policy)
        if folders.location_in(folder, outputs) is not Location.ACTIVE:
            raise Refused(f"Run {record.id} is archived already. Restore it first with: mhc restore {record.id}")
        reason = protection(record, in_production=in_production)
        if reason:
            unpin = f". Remove the pin with: mhc unpin {record.id}" if record.pinned else ""
            raise Refused(f"Run {record.id} cannot be archived: {reason}{unpin}")
        due.append(Due(folder, record, to, why))
    return due


def archive(due: Sequence[Due], outputs: Path, policy: LivenessPolicy, *, now: datetime, by: str) -> None:
    """Move the runs, each by one rename.

    Raises:
        Conflict: if a run was changed or moved since it was planned; the runs before it have been moved.
        BadInput: if the disk is full or read-only.
    """
    for item in due:
        try:
            cleanup.move(item, outputs, policy, now=now, by=by)
        except MhcError as problem:
            if disk.problem_of(problem):
                raise
            raise Conflict(
                f"Run {item.record.id} was changed or moved by another process. Check it and repeat the command"
            ) from problem


def plan_restore(selected: Sequence[Path], outputs: Path) -> list[tuple[Path, Path]]:
    """Return the current folder of each run and the folder that it would be restored to.

    Raises:
        Refused: if a run is not archived.
        Conflict: if the target folder exists.
    """
    moves = []
    for folder in selected:
        if folders.location_in(folder, outputs) is Location.ACTIVE:
            raise Refused(f"Run {folder.name} is not archived; there is nothing to restore")
        target = outputs.joinpath(*folder.resolve().relative_to(outputs.resolve()).parts[1:])
        if target.exists():
            raise Conflict(f"Run {folder.name} cannot be restored: {target} exists. Find out what it is: mhc doctor")
        moves.append((folder, target))
    return moves


def restore(selected: Sequence[Path], outputs: Path, *, now: datetime, by: str) -> list[Path]:
    """Move archived runs back to their original folders, and return these.

    Raises:
        NotFound: if a run was moved meanwhile.
        Conflict: if the target folder exists.
        Refused: if a run is not archived.
    """
    restored = []
    for folder in selected:
        origin = folders.location_in(folder, outputs)
        restored.append(folders.restore(folder, outputs))
        cleanup.log_move(outputs, folder.name, "restored", f"from {origin.value}", now=now, by=by)
    return restored
