"""Check whether a run recorded as `running` is alive, without a server.

On the machine and boot that the record names, the process table decides. On other machines the age of the last sign of
life decides, measured on the clock of the file system. If neither can be determined, the run stays `running`, with the
reason.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mhc import timestamps
from mhc.errors import Conflict, Unreadable
from mhc.record import RECORD_FILE, Event, Process, RunRecord, Status
from mhc.runs import store

if TYPE_CHECKING:
    from mhc.policy import LivenessPolicy

HEARTBEAT = "heartbeat"
CLOCK_FRESH = 5.0
"""Seconds for which one probe of a file system's clock is valid."""
START_TOLERANCE = 1.0
"""Seconds by which psutil's create_time may differ between two readings of one process (records without ticks)."""


class Liveness(NamedTuple):
    """Whether a run is alive, and the reason for that conclusion."""

    alive: bool | None
    """None if it cannot be determined from this machine."""
    reason: str


class ProcessStart(NamedTuple):
    """The start time of a live process."""

    ticks: int | None
    at: float
    """Unix seconds."""


def this_process(world_size: int = 1) -> Process:
    """Return the current process as it is recorded."""
    start = process_start(os.getpid())
    return Process(
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid=os.getpid(),
        pid_started_at=start.at if start else 0.0,
        pid_ticks=start.ticks if start else None,
        pid_namespace=pid_namespace(),
        world_size=world_size,
        slurm_job_id=os.environ.get("SLURM_JOB_ID"),  # one per task of an array, kept by a requeue
    )


@cache
def boot_id() -> str:
    """Return an id that changes with each boot of this machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        return f"boot-{psutil.boot_time():.0f}"


@cache
def pid_namespace() -> str:
    """Return the name of this process's pid namespace; empty if the system has none."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (the link's text, not a path)
    except OSError:
        return ""


def process_start(pid: int) -> ProcessStart | None:
    """Return when the live process `pid` started; None if there is no such process, or only a zombie.

    Raises:
        PermissionError: if the system hides that process from this user.
    """
    if not Path("/proc/self/stat").exists():
        return _process_start_psutil(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        _raise_if_hidden(pid)
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it, in brackets, may contain spaces and brackets
    if fields[0] in ("Z", "X", "x"):
        return None
    ticks = int(fields[19])
    return ProcessStart(ticks, ticks / os.sysconf("SC_CLK_TCK") + _boot_time())


def _raise_if_hidden(pid: int) -> None:
    """Raise PermissionError for another user's process under /proc with hidepid: no entry, but kill answers EPERM."""
    with suppress(ProcessLookupError, OverflowError):
        os.kill(pid, 0)


def _boot_time() -> float:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def _process_start_psutil(pid: int) -> ProcessStart | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else ProcessStart(None, process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        raise PermissionError(pid) from None


def check(record: RunRecord, folder: Path, policy: LivenessPolicy) -> Liveness:
    """Return whether the run in `folder`, recorded as running, is alive."""
    process = record.process
    if process is None:
        return Liveness(alive=None, reason="the record names no process")
    if _is_local(process):
        with suppress(PermissionError):
            return _check_process(process)
    return _check_heartbeat(process, folder, policy)


def _is_local(process: Process) -> bool:
    here = (socket.gethostname(), boot_id())
    return (process.host, process.boot_id) == here and process.pid_namespace in ("", pid_namespace())


def _check_process(process: Process) -> Liveness:
    start = process_start(process.pid)
    if start is None:
        return Liveness(alive=False, reason=f"process {process.pid} is gone")
    if process.pid_ticks is not None and start.ticks is not None:
        same = process.pid_ticks == start.ticks
    else:
        same = abs(process.pid_started_at - start.at) <= START_TOLERANCE
    state = "lives" if same else "is gone, its number belongs to another process"
    return Liveness(alive=same, reason=f"process {process.pid} {state}")


def _check_heartbeat(process: Process, folder: Path, policy: LivenessPolicy) -> Liveness:
    last = _last_sign_of_life(folder)
    now = file_system_now(folder)
    if last is None or now is None:
        reason = f"it ran on {process.host}, and the age of its heartbeat cannot be measured from here"
        return Liveness(alive=None, reason=reason)
    age = now - last
    if age < -policy.timeout:
        return Liveness(alive=None, reason=f"its heartbeat lies {-age:.0f} s ahead of the file system's clock")
    if age <= policy.timeout:
        return Liveness(alive=True, reason=f"its heartbeat is {max(age, 0):.0f} s old")
    return Liveness(alive=False, reason=f"no heartbeat from {process.host} for {age:.0f} s")


def _last_sign_of_life(folder: Path) -> float | None:
    """Return the newest time of heartbeat and record: writing the record is a sign of life too."""
    times = []
    for name in (HEARTBEAT, RECORD_FILE):
        with suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(times, default=None)


_offsets: dict[int, tuple[float, float]] = {}
"""By device: the monotonic time of the last probe, and the offset of the device's clock from the monotonic clock."""


def file_system_now(folder: Path) -> float | None:
    """Return the time of the clock that stamps files in `folder`, by touching a file; None if it is read-only.

    The local clock may differ by hours from that of a file server, so it is never compared with the time of a file.
    """
    try:
        device = folder.stat().st_dev
        probe_time, offset = _offsets.get(device, (-CLOCK_FRESH, 0.0))
        if time.monotonic() - probe_time > CLOCK_FRESH:
            offset = _probe(folder) - time.monotonic()
            _offsets[device] = (time.monotonic(), offset)
    except OSError:
        return None
    return time.monotonic() + offset


def _probe(folder: Path) -> float:
    path = folder / f".clock.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, b"\n")
        os.fsync(descriptor)
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def with_derived_status(record: RunRecord, folder: Path, policy: LivenessPolicy) -> RunRecord:
    """Return `record` as it is shown: `lost` if it is recorded as running but not alive. Nothing is written."""
    if record.status is not Status.RUNNING:
        return record
    liveness = check(record, folder, policy)
    if liveness.alive is False:
        newer = _written_since(record, folder)
        return with_derived_status(newer, folder, policy) if newer else _lost(record, liveness.reason)
    if liveness.alive is None:
        return msgspec.structs.replace(record, status_reason=liveness.reason)
    return record


def _written_since(record: RunRecord, folder: Path) -> RunRecord | None:
    """Return the newer record if the run recorded its outcome, and ended, after `record` was read; else None."""
    try:
        newer = store.read(folder)
    except Unreadable:
        return None
    return newer if newer.revision != record.revision else None


def persist(record: RunRecord, folder: Path, policy: LivenessPolicy, by: str) -> RunRecord:
    """Return `record` with its derived status, and record that it is lost if it is.

    A record that another process changed meanwhile is returned as it is on disk.

    Raises:
        MhcError: if the record cannot be written.
    """
    shown = with_derived_status(record, folder, policy)
    if shown.status is not Status.LOST or record.status is Status.LOST or shown.revision != record.revision:
        return shown
    event = Event(at=timestamps.format_time(timestamps.now()), what="lost", by=by, why=shown.status_reason)
    try:
        return store.update(folder, lambda old: _lost(old, shown.status_reason), event, expect_revision=record.revision)
    except Conflict:
        return store.read(folder)


def _lost(record: RunRecord, reason: str) -> RunRecord:
    return msgspec.structs.replace(record, status=Status.LOST, status_reason=reason)
