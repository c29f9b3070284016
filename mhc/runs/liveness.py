"""Tell whether a run that says `running` still does. No server: the process table, or the age of its heartbeat.

On the machine and boot that the record names, the process table decides. From elsewhere the age of the last sign of
life decides, measured on the file system's own clock. What cannot be known is left running, and says why.
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
"""Seconds for which one probe of a file system's clock is good."""
START_TOLERANCE = 1.0
"""Seconds that psutil's create_time may differ between two readings of one process (records without ticks)."""


class Liveness(NamedTuple):
    """Whether a run is alive, as far as can be told from here."""

    alive: bool | None
    """None: cannot be told from here."""
    reason: str


class ProcessStart(NamedTuple):
    """When a living process started."""

    ticks: int | None
    at: float
    """Unix seconds."""


def this_process(world_size: int = 1) -> Process:
    """Return the process that runs this line, as it goes on record."""
    start = process_start(os.getpid())
    return Process(
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid=os.getpid(),
        pid_started_at=start.at if start else 0.0,
        pid_ticks=start.ticks if start else None,
        pid_namespace=pid_namespace(),
        world_size=world_size,
        slurm_job_id=os.environ.get("SLURM_JOB_ID"),  # its own for each task of an array, kept by a requeue
    )


@cache
def boot_id() -> str:
    """Return what changes with each start of this machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        return f"boot-{psutil.boot_time():.0f}"


@cache
def pid_namespace() -> str:
    """Return the name of this process's pid namespace; empty where the system has none."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (the link's text, not a path)
    except OSError:
        return ""


def process_start(pid: int) -> ProcessStart | None:
    """Return when the living process `pid` started; None where there is none, or only an unburied one (zombie).

    Raises:
        PermissionError: where the system hides that process from us.
    """
    if not Path("/proc/self/stat").exists():
        return _process_start_psutil(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        _raise_if_hidden(pid)
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it, in brackets, may hold spaces and brackets
    if fields[0] in ("Z", "X", "x"):
        return None
    ticks = int(fields[19])
    return ProcessStart(ticks, ticks / os.sysconf("SC_CLK_TCK") + _boot_time())


def _raise_if_hidden(pid: int) -> None:
    """Under /proc mounted with hidepid, another user's process has no entry but answers kill with EPERM."""
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
    """Tell whether the run that `record`, in `folder`, says is running is alive."""
    process = record.process
    if process is None:
        return Liveness(None, "the record names no process")
    if _is_here(process):
        with suppress(PermissionError):
            return _look_at_process(process)
    return _look_at_heartbeat(process, folder, policy)


def _is_here(process: Process) -> bool:
    here = (socket.gethostname(), boot_id())
    return (process.host, process.boot_id) == here and process.pid_namespace in ("", pid_namespace())


def _look_at_process(process: Process) -> Liveness:
    start = process_start(process.pid)
    if start is None:
        return Liveness(False, f"process {process.pid} is gone")
    if process.pid_ticks is not None and start.ticks is not None:
        same = process.pid_ticks == start.ticks
    else:
        same = abs(process.pid_started_at - start.at) <= START_TOLERANCE
    return Liveness(
        same, f"process {process.pid} {'lives' if same else 'is gone, its number belongs to another process'}"
    )


def _look_at_heartbeat(process: Process, folder: Path, policy: LivenessPolicy) -> Liveness:
    seen = _last_sign(folder)
    now = file_system_now(folder)
    if seen is None or now is None:
        return Liveness(None, f"it ran on {process.host}, and the age of its heartbeat cannot be measured from here")
    age = now - seen
    if age < -policy.timeout:
        return Liveness(None, f"its heartbeat lies {-age:.0f} s ahead of the file system's clock")
    if age <= policy.timeout:
        return Liveness(True, f"its heartbeat is {max(age, 0):.0f} s old")
    return Liveness(False, f"no heartbeat from {process.host} for {age:.0f} s")


def _last_sign(folder: Path) -> float | None:
    """The newest of heartbeat and record: writing a record is a sign of life too."""
    times = []
    for name in (HEARTBEAT, RECORD_FILE):
        with suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(times, default=None)


_offsets: dict[int, tuple[float, float]] = {}
"""Per device: when its clock was probed (monotonic), and how far ahead of the monotonic clock it is."""


def file_system_now(folder: Path) -> float | None:
    """Return the time on the clock that stamps files in `folder`: that of a file touched there; None where read-only.

    The local clock may be hours off that of a file server, so it is never compared with a file's time.
    """
    try:
        device = folder.stat().st_dev
        probed, offset = _offsets.get(device, (-CLOCK_FRESH, 0.0))
        if time.monotonic() - probed > CLOCK_FRESH:
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
    """Return `record` as it is to be shown: `lost` where it says running and the run is gone. Writes no record."""
    if record.status is not Status.RUNNING:
        return record
    sign = check(record, folder, policy)
    if sign.alive is False:
        ended = _written_since(record, folder)
        return with_derived_status(ended, folder, policy) if ended else _lost(record, sign.reason)
    if sign.alive is None:
        return msgspec.structs.replace(record, status_reason=sign.reason)
    return record


def _written_since(record: RunRecord, folder: Path) -> RunRecord | None:
    """Return the newer record where the run wrote its last word, and ended, after `record` was read."""
    try:
        now = store.read(folder)
    except Unreadable:
        return None
    return now if now.revision != record.revision else None


def persist(record: RunRecord, folder: Path, policy: LivenessPolicy, by: str) -> RunRecord:
    """Return `derived(record)`, written to the folder where that says lost; a record changed meanwhile is left alone.

    Raises:
        MhcError: where the record cannot be written.
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
