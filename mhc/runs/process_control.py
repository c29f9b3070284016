"""Stop a live run on this machine, or check that a run can be resumed.

A process is identified by its start time, not by its id alone, which the system reuses.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import socket
from pathlib import Path

from mhc.errors import Conflict, Refused
from mhc.policy import LivenessPolicy
from mhc.record import ARCHIVES, Process, RunRecord, Status
from mhc.runs import folders, liveness, store


def must_be_stoppable(record: RunRecord, folder: Path, policy: LivenessPolicy) -> Process:
    """Return the process of a run that is alive on this machine.

    Raises:
        Conflict: if the run has ended, or its process is gone.
        Refused: if it runs on another machine.
    """
    process = record.process
    if record.status is not Status.RUNNING or process is None:
        raise Conflict(f"Run {record.id} is {record.status.value}; there is nothing to stop")
    state = liveness.check(record, folder, policy)
    if state.alive is False:
        raise Conflict(f"Run {record.id} is lost: {state.reason}; there is nothing to stop")
    if process.host != socket.gethostname():
        command = f"scancel {process.slurm_job_id}" if process.slurm_job_id else f"mhc stop {record.id}"
        raise Refused(f"Run {record.id} runs on {process.host}. Stop it there with: {command}")
    if state.alive is None or not _is_of_this_boot(process):
        raise Refused(f"The process of run {record.id} cannot be identified from here: {state.reason}")
    return process


def _is_of_this_boot(process: Process) -> bool:
    """Return whether the recorded process id is valid here: same boot, same container."""
    same_boot = process.boot_id == liveness.boot_id()
    return same_boot and process.pid_namespace in ("", liveness.pid_namespace())


def stop(record: RunRecord, folder: Path, policy: LivenessPolicy, timeout: float) -> RunRecord | None:
    """Send SIGTERM, wait for the process to end, and return the final record; None if the process is still alive.

    Raises:
        Conflict: if the run has ended already.
        Refused: if it runs on another machine, or belongs to another user.
    """
    process = must_be_stoppable(record, folder, policy)
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        raise Conflict(f"Run {record.id} has just ended") from None
    try:
        must_be_stoppable(record, folder, policy)  # again: from now on the handle refers to this process
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        ended, _, _ = select.select([handle], [], [], timeout)
    except ProcessLookupError:
        ended = [handle]
    except PermissionError:
        raise Refused(f"Process {process.pid} of run {record.id} belongs to another user") from None
    finally:
        os.close(handle)
    return liveness.persist(store.read(folder), folder, policy, by="stop") if ended else None


def resume_command(folder: Path, key: str = "resume") -> str:
    """Return the command line that continues the run in `folder`; with `key` resume_sweep, the sweep."""
    sweep = folders.SWEEP_ID.fullmatch(folder.parent.name)
    outputs = folder.parent.parent if sweep else folder.parent
    usual = Path(os.environ.get("MHC_OUTPUTS") or "outputs").absolute()
    place = "" if outputs.absolute() == usual else " " + shlex.quote(f"paths.outputs={outputs}")
    return f"python -m mhc.train {key}={folder.name}{place}"


def must_be_resumable(record: RunRecord, folder: Path) -> None:
    """Raise if the run in `folder`, whose record has its derived status, cannot be resumed.

    Raises:
        Conflict: if it is alive.
        Refused: if it is completed, archived, an ensemble, or imported from another tracker.
    """
    if folder.parent.name in ARCHIVES or folder.parent.parent.name in ARCHIVES:
        raise Refused(f"Run {record.id} is archived. Restore it first with: mhc restore {record.id}")
    if record.status is Status.RUNNING and record.process is not None:
        raise Conflict(
            f"Run {record.id} is still running as process {record.process.pid} on {record.process.host}. "
            f"Stop it first with: mhc stop {record.id}"
        )
    if record.status is Status.COMPLETED:
        raise Refused(
            f"Run {record.id} is completed; there is nothing to resume. Show it with: mhc details {record.id}"
        )
    if record.ensemble:
        raise Refused(
            f"Run {record.id} is an ensemble, which is not trained. Make it again with: python -m mhc.ensemble"
        )
    if record.status is Status.UNKNOWN or record.lineage.imported_from:
        raise Refused(f"Run {record.id} was imported from another tracker and cannot be resumed. Start it again")
