"""Ask a live run of this machine to end. The process is known by its start, not by its number alone."""

from __future__ import annotations

import os
import select
import signal
import socket
from pathlib import Path

from mhc.errors import Conflict, Refused
from mhc.policy import LivenessPolicy
from mhc.record import ARCHIVES, Process, RunRecord, Status
from mhc.runs import liveness, store


def must_be_stoppable(record: RunRecord, folder: Path, policy: LivenessPolicy) -> Process:
    """The process of a run that lives on this machine.

    Raises:
        Conflict: the run has ended, or its process is gone.
        Refused: it runs elsewhere.
    """
    process = record.process
    if record.status is not Status.RUNNING or process is None:
        raise Conflict(f"Run {record.id} is {record.status.value}; there is nothing to stop.")
    sign = liveness.check(record, folder, policy)
    if sign.alive is False:
        raise Conflict(f"Run {record.id} is lost: {sign.reason}; there is nothing to stop.")
    if process.host != socket.gethostname():
        where = f"scancel {process.slurm_job_id}" if process.slurm_job_id else f"mhc stop {record.id}"
        raise Refused(f"Run {record.id} lives on {process.host}. Stop it there with: {where}")
    if sign.alive is None or not _is_of_this_boot(process):
        raise Refused(f"The process of run {record.id} cannot be told from here: {sign.reason}.")
    return process


def _is_of_this_boot(process: Process) -> bool:
    """Whether the process number means here what it meant where it was written: same boot, same container."""
    same_boot = process.boot_id == liveness.boot_id()
    return same_boot and process.pid_namespace in ("", liveness.pid_namespace())


def stop(record: RunRecord, folder: Path, policy: LivenessPolicy, patience: float) -> RunRecord | None:
    """Send SIGTERM, wait for the process to end, and return the record as it then is; None: it goes on living.

    Raises:
        Conflict: the run has ended already.
        Refused: it runs elsewhere, or belongs to somebody else.
    """
    process = must_be_stoppable(record, folder, policy)
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        raise Conflict(f"Run {record.id} ended at this moment.") from None
    try:
        must_be_stoppable(record, folder, policy)  # again: now that the handle holds the process, it stays this one
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        ended, _, _ = select.select([handle], [], [], patience)
    except ProcessLookupError:
        ended = [handle]
    except PermissionError:
        raise Refused(f"Process {process.pid} of run {record.id} belongs to another user.") from None
    finally:
        os.close(handle)
    return liveness.persist(store.read(folder), folder, policy, by="stop") if ended else None


def must_be_resumable(record: RunRecord, folder: Path) -> None:
    """Raise where the run in `folder`, whose derived record this is, cannot be taken up again.

    Raises:
        Conflict: where it is alive.
        Refused: where it is completed, taken over from another tracker, or archived.
    """
    if folder.parent.name in ARCHIVES or folder.parent.parent.name in ARCHIVES:
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
