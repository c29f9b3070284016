from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from mhc.runs import store
from mhc.runs.liveness import this_process
from tests.support.builders import a_record, a_run, write_run
from tests.support.typed import contents, typed

ID = "attention_20261120_120000_a1b2"

TRAINING = """
import signal, sys
from datetime import UTC, datetime
from mhc.policy import load
from mhc.runs.live import LiveRun
from mhc.runs.outcome import recording
from mhc.record import Lineage
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
run = LiveRun.register(
    sys.argv[1], name="attention", description="", tags=[], note="", seed=1, category_said=None, sweep=None, group="",
    lineage=Lineage(), liveness=load().liveness, now=datetime.now(UTC),
)
if sys.argv[2] == "deaf":
    print("ready", flush=True)
    sys.stdin.read()
with recording(run):
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def a_training(folder: Path, kind: str = "polite") -> Iterator[subprocess.Popen[str]]:
    """Start a process that registers a run and then waits, as a training does."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", TRAINING, str(folder), kind]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_stop_ends_a_live_run_and_prints_its_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with a_training(tmp_path / "outputs" / ID) as process:
        answer = typed(capsys, tmp_path, "stop", "attention", "--dry-run")
        assert answer.out == f"{ID}: would ask process {process.pid} to stop\n"
        assert process.poll() is None
        answer = typed(capsys, tmp_path, "stop", "attention")
        assert answer.code == 0
        assert answer.out.startswith(f"{ID}: interrupted (")
        assert process.wait() != 0
    assert store.read(tmp_path / "outputs" / ID).status.value == "interrupted"


def test_run_that_does_not_end_in_time_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with a_training(tmp_path / "outputs" / ID, "deaf") as process:
        answer = typed(capsys, tmp_path, "stop", ID, "--wait", "0.1")
        assert (answer.code, process.poll()) == (1, None)
        assert "still running after 0.1 s" in answer.out


def test_killed_run_is_lost_and_cannot_be_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with a_training(tmp_path / "outputs" / ID) as process:
        process.kill()
        process.wait()
        answer = typed(capsys, tmp_path, "stop", ID)
    assert (answer.code, "is lost" in answer.err) == (1, True)


def test_process_with_a_reused_pid_is_not_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The record has the pid of this test, but another start time: a SIGTERM would end the test."""
    mine = this_process()
    reused = msgspec.structs.replace(mine, pid_started_at=mine.pid_started_at - 1000, pid_ticks=1)
    write_run(tmp_path / "outputs", a_record(ID, status="running", process=reused))
    answer = typed(capsys, tmp_path, "stop", ID)
    assert (answer.code, "belongs to another process" in answer.err) == (1, True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": "elsewhere", "slurm_job_id": "77"}, "Stop it there with: scancel 77"),
        ({"host": "elsewhere"}, "runs on elsewhere"),
        ({"boot_id": "another boot"}, "cannot be identified from here"),
        ({"pid_namespace": "pid:[1]"}, "cannot be identified from here"),
    ],
    ids=["slurm", "other host", "other boot", "other container"],
)
def test_run_of_another_machine_is_not_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], sentence: str
) -> None:
    process = msgspec.structs.replace(this_process(), **changes)
    folder = write_run(tmp_path / "outputs", a_record(ID, status="running", process=process))
    (folder / "heartbeat").touch()
    answer = typed(capsys, tmp_path, "stop", ID)
    assert (answer.code, sentence in answer.err) == (1, True)


def test_ended_run_is_not_stopped_and_not_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs")
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, "stop", ID)
    assert (answer.code, answer.err) == (1, f"Run {ID} is completed; there is nothing to stop\n")
    assert contents(tmp_path) == before
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert os.getpid() == this_process().pid
