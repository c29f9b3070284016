"""Which runs can be taken up again. Pure: nothing here touches a disk."""

from __future__ import annotations

from pathlib import Path

from mhc.errors import Conflict, Refused
from mhc.runs import folders
from mhc.runs.record import RunRecord, Status


def must_be_resumable(record: RunRecord, folder: Path) -> None:
    """Raise where the run in `folder`, whose derived record this is, cannot be taken up again.

    Raises:
        Conflict: where it is alive.
        Refused: where it is completed, taken over from another tracker, or archived.
    """
    if folder.parent.name in folders.ARCHIVES or folder.parent.parent.name in folders.ARCHIVES:
        raise Refused(f"Run {record.id} is archived. Restore it first with: mhc restore {record.id}")
    if record.status is Status.RUNNING and record.process is not None:
        raise Conflict(
            f"Run {record.id} is still running as process {record.process.pid} on {record.process.host}. "
            f"Stop it first with: mhc stop {record.id}"
        )
    if record.status is Status.COMPLETED:
        raise Refused(f"Run {record.id} is completed; there is nothing to resume. See it with: mhc details {record.id}")
    if record.status is Status.UNKNOWN or record.lineage.imported_from:
        raise Refused(f"Run {record.id} was taken over from another tracker and cannot be resumed. Start it anew")
