"""Archive and restore runs because a person asked for it, under the same protections as the policy's clean-up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mhc.errors import Conflict, Refused
from mhc.policy import LivenessPolicy
from mhc.record import Location
from mhc.retention import cleanup
from mhc.retention.rules import Due, protection
from mhc.runs import folders, liveness, move_log, store


def plan_archive(
    chosen: Sequence[Path], outputs: Path, models: Path, to: Location, policy: LivenessPolicy, why: str
) -> list[Due]:
    """What would be archived. One run that must stay stops all, before anything is moved.

    Raises:
        Refused: a run is protected, or archived already.
        Unreadable: a record cannot be read, so nobody knows whether it is protected.
    """
    in_production = cleanup.bundled_runs(models)
    due = []
    for folder in chosen:
        record = liveness.derived(store.read(folder), folder, policy)
        if folders.location(folder, outputs) is not Location.ACTIVE:
            raise Refused(f"Run {record.id} is archived already. Restore it first with: mhc restore {record.id}")
        kept = protection(record, in_production=in_production)
        if kept:
            unpin = f" Let it go with: mhc unpin {record.id}" if record.pinned else ""
            raise Refused(f"Run {record.id} stays where it is: {kept}.{unpin}")
        due.append(Due(folder, record, to, why))
    return due


def archive(due: Sequence[Due], outputs: Path, policy: LivenessPolicy, *, now: datetime, by: str) -> None:
    """Move the runs, each by one rename.

    Raises:
        Conflict: a run was changed or moved at this moment; those before it are moved.
    """
    for one in due:
        if not cleanup.archive(one, outputs, policy, now=now, by=by):
            raise Conflict(
                f"Run {one.record.id} was changed or moved at this moment. Look at it and repeat the command"
            )


def plan_restore(chosen: Sequence[Path], outputs: Path) -> list[tuple[Path, Path]]:
    """Where each run lies, and where it would lie again.

    Raises:
        Refused: a run is not archived.
        Conflict: its place is taken.
    """
    moves = []
    for folder in chosen:
        if folders.location(folder, outputs) is Location.ACTIVE:
            raise Refused(f"Run {folder.name} is not archived; there is nothing to restore.")
        target = outputs.joinpath(*folder.resolve().relative_to(outputs.resolve()).parts[1:])
        if target.exists():
            raise Conflict(f"Run {folder.name} cannot come back: {target} is taken. See what it is with: mhc doctor")
        moves.append((folder, target))
    return moves


def restore(chosen: Sequence[Path], outputs: Path, *, now: datetime, by: str) -> list[Path]:
    """Move archived runs back to where they were; return their folders.

    Raises:
        NotFound, Conflict, Refused: as `mhc.runs.folders.restore`.
    """
    back = []
    for folder in chosen:
        origin = folders.location(folder, outputs)
        back.append(folders.restore(folder, outputs))
        move_log.add(outputs, run=folder.name, what="restored", by=by, why=f"from {origin.value}", now=now)
    return back
