from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from mhc.policy import LivenessPolicy
from mhc.record import Process, RunRecord, Status
from mhc.runs import liveness, store
from tests.support.builders import a_record, a_run

POLICY = LivenessPolicy(heartbeat=10, timeout=300)
replace = msgspec.structs.replace


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process that runs until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def process_of(pid: int) -> Process:
    start = liveness.process_start(pid)
    assert start is not None
    return replace(liveness.this_process(), pid=pid, pid_started_at=start.at, pid_ticks=start.ticks)


def a_running_run(outputs: Path, process: Process | None, heartbeat_age: float | None = 0.0) -> tuple[RunRecord, Path]:
    """A run recorded as running, whose heartbeat and record are that many seconds old."""
    folder = a_run(outputs, status="running", process=process)
    now = liveness.file_system_now(folder)
    assert now is not None
    if heartbeat_age is not None:
        (folder / "heartbeat").touch()
    for name in ("heartbeat", "run.json"):
        if (folder / name).exists():
            time = now - (heartbeat_age if heartbeat_age is not None else 0.0)
            os.utime(folder / name, (time, time))
    return store.read(folder), folder


def test_start_of_a_process_is_that_of_psutil() -> None:
    start = liveness.process_start(os.getpid())
    assert start is not None
    assert start.at == pytest.approx(psutil.Process().create_time(), abs=0.02)


def test_live_process_is_alive_even_with_an_old_heartbeat(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    record, folder = a_running_run(tmp_path, process_of(child.pid), heartbeat_age=100_000)
    assert liveness.check(record, folder, POLICY) == (True, f"process {child.pid} lives")
    assert liveness.with_derived_status(record, folder, POLICY) == record


def test_suspended_process_is_alive(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    record, folder = a_running_run(tmp_path, process_of(child.pid))
    os.kill(child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert liveness.check(record, folder, POLICY).alive is True


def test_killed_process_is_lost_at_the_next_check(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    record, folder = a_running_run(tmp_path, process_of(child.pid))
    child.kill()
    child.wait()
    shown = liveness.with_derived_status(record, folder, POLICY)
    assert (shown.status, shown.status_reason) == (Status.LOST, f"process {child.pid} is gone")
    assert store.read(folder) == record, "a check must not write"


def test_zombie_process_is_lost(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    record, folder = a_running_run(tmp_path, process_of(child.pid))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but still in the process table
    assert liveness.check(record, folder, POLICY).alive is False


def test_process_whose_id_was_reused_is_lost(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    mine = process_of(child.pid)
    record, folder = a_running_run(tmp_path, replace(mine, pid_ticks=(mine.pid_ticks or 0) - 1))
    assert liveness.check(record, folder, POLICY) == (
        False,
        f"process {child.pid} is gone, its number belongs to another process",
    )


def test_record_without_ticks_is_compared_by_seconds(tmp_path: Path, child: subprocess.Popen[str]) -> None:
    mine = replace(process_of(child.pid), pid_ticks=None)
    record, folder = a_running_run(tmp_path, mine)
    assert liveness.check(record, folder, POLICY).alive is True
    later = replace(record, process=replace(mine, pid_started_at=mine.pid_started_at - 5))
    assert liveness.check(later, folder, POLICY).alive is False


@pytest.mark.parametrize("hours", [-7, 7])
def test_changing_the_clock_by_hours_loses_no_run(tmp_path: Path, child: subprocess.Popen[str], hours: int) -> None:
    mine = process_of(child.pid)  # the clock changes the derived time, never the ticks since boot
    record, folder = a_running_run(tmp_path, replace(mine, pid_started_at=mine.pid_started_at + 3600 * hours))
    assert liveness.check(record, folder, POLICY).alive is True


def elsewhere(**changes: object) -> Process:
    return replace(liveness.this_process(), **changes)  # type: ignore[arg-type]


ELSEWHERE = {
    "another host": elsewhere(host="node17"),
    "an earlier boot": elsewhere(boot_id="before-the-reboot"),
    "a container on this host": elsewhere(pid_namespace="pid:[1]"),
}


@pytest.mark.parametrize("process", ELSEWHERE.values(), ids=ELSEWHERE.keys())
@pytest.mark.parametrize(("age", "alive"), [(0, True), (250, True), (301, False), (90_000, False)])
def test_on_other_machines_the_age_of_the_heartbeat_decides(
    tmp_path: Path, process: Process, age: float, alive: bool
) -> None:
    record, folder = a_running_run(tmp_path, process, heartbeat_age=age)
    assert liveness.check(record, folder, POLICY).alive is alive


def test_process_id_of_an_earlier_boot_is_ignored(tmp_path: Path) -> None:
    record, folder = a_running_run(
        tmp_path, elsewhere(boot_id="before-the-reboot", pid=os.getpid()), heartbeat_age=5000
    )
    assert liveness.check(record, folder, POLICY).alive is False


def test_without_a_heartbeat_the_record_is_the_last_sign(tmp_path: Path) -> None:
    record, folder = a_running_run(tmp_path, elsewhere(host="node17"), heartbeat_age=None)
    assert liveness.check(record, folder, POLICY).alive is True
    old = (folder / "run.json").stat().st_mtime - 4000
    os.utime(folder / "run.json", (old, old))
    assert liveness.check(record, folder, POLICY) == (False, "no heartbeat from node17 for 4000 s")


def test_heartbeat_ahead_of_the_file_system_is_left_running(tmp_path: Path) -> None:
    record, folder = a_running_run(tmp_path, elsewhere(host="node17"), heartbeat_age=-7200)
    shown = liveness.with_derived_status(record, folder, POLICY)
    assert shown.status is Status.RUNNING
    assert "7200 s ahead of the file system's clock" in shown.status_reason


def test_local_clock_has_no_effect_on_the_age(tmp_path: Path) -> None:
    """Like libfaketime: a file touched on the file system is the only clock that is read."""
    _, folder = a_running_run(tmp_path, elsewhere(host="node17"), heartbeat_age=0)
    code = (
        "import sys, time\nfrom pathlib import Path\nreal = time.time\ntime.time = lambda: real() + 36000\n"
        "from mhc.policy import LivenessPolicy\nfrom mhc.runs import liveness, store\nfolder = Path(sys.argv[1])\n"
        "print(liveness.check(store.read(folder), folder, LivenessPolicy(heartbeat=10, timeout=300)).alive)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert process.stdout == "True\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_run_in_read_only_outputs_is_left_running(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    record, folder = a_running_run(out, elsewhere(host="node17"), heartbeat_age=5000)
    if subprocess.run(["mount", "--bind", str(out), str(out)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(out)], check=True)
        liveness._offsets.clear()
        shown = liveness.with_derived_status(record, folder, POLICY)
    finally:
        subprocess.run(["umount", str(out)], check=True)
    assert shown.status is Status.RUNNING
    assert shown.status_reason == "it ran on node17, and the age of its heartbeat cannot be measured from here"


def test_check_leaves_no_file(tmp_path: Path) -> None:
    record, folder = a_running_run(tmp_path, elsewhere(host="node17"))
    before = sorted(folder.iterdir())
    liveness._offsets.clear()
    liveness.check(record, folder, POLICY)
    assert sorted(folder.iterdir()) == before


def test_record_without_a_process_is_left_running(tmp_path: Path) -> None:
    record, folder = a_running_run(tmp_path, None)
    record = replace(record, process=None)
    assert liveness.with_derived_status(record, folder, POLICY).status_reason == "the record names no process"


def test_loss_is_persisted_once_with_its_reason(tmp_path: Path) -> None:
    record, folder = a_running_run(tmp_path, elsewhere(host=socket.gethostname(), pid=99_999_999))
    first = liveness.persist(record, folder, POLICY, by="doctor")
    assert (first.status, first.revision) == (Status.LOST, 1)
    assert (first.history[-1].what, first.history[-1].by, first.history[-1].why) == (
        "lost", "doctor", "process 99999999 is gone",
    )  # fmt: skip
    assert liveness.persist(record, folder, POLICY, by="another") == first, "the second writer changes nothing"
    assert store.read(folder) == first


def test_outcome_recorded_between_two_reads_is_shown(tmp_path: Path) -> None:
    record, folder = a_running_run(tmp_path, elsewhere(pid=99_999_999))
    ended = store.update(folder, lambda old: replace(old, status=Status.COMPLETED))
    assert liveness.with_derived_status(record, folder, POLICY) == ended


def test_run_that_ends_during_the_check_is_not_lost(tmp_path: Path) -> None:
    record, folder = a_running_run(tmp_path, elsewhere(pid=99_999_999))
    ended = store.update(folder, lambda old: replace(old, status=Status.COMPLETED))
    assert liveness.persist(record, folder, POLICY, by="doctor") == ended


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted", "lost", "unknown"])
def test_run_not_recorded_as_running_is_not_checked(tmp_path: Path, status: str) -> None:
    record = a_record(status=status)
    assert liveness.with_derived_status(record, tmp_path / "nowhere", POLICY) is record
