from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from mhc import policy
from mhc.errors import BadInput, Conflict, Refused
from mhc.facts import Metrics, Smoke, Timing
from mhc.record import Category, Lineage, Location, Promotion, RunRecord, Status
from mhc.runs import end_request, folders, heartbeat, live, liveness, signals, store
from mhc.runs.live import LiveRun
from mhc.runs.outcome import recording
from mhc.runs.own_folder import FolderMoved
from mhc.runs.signals import Terminated
from tests.support.builders import NOW, a_run, data_facts, model_facts

POLICY = policy.load()
SECRET = "I have not slept since Tuesday"
replace = msgspec.structs.replace
E = TypeVar("E", bound=BaseException)


def start(folder: Path, beat: float = 10, **changes: object) -> LiveRun:
    values = {
        "name": "attention", "description": "", "tags": [], "note": "", "seed": 1, "category_said": None,
        "sweep": None, "group": "g", "lineage": Lineage(),
        "liveness": policy.LivenessPolicy(heartbeat=beat, timeout=300), "now": NOW,
    }  # fmt: skip
    return LiveRun.register(folder, **(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    run = start(folders.claim(tmp_path / "outputs", "attention", NOW))
    yield run
    heartbeat.stop(run.folder)


def end_with(run: LiveRun, error: type[E], training: Callable[[], object]) -> E:
    """Run a training that ends with an error of that type, and return the error."""
    with pytest.raises(error) as raised, recording(run):
        training()
    return raised.value


def events(record: RunRecord) -> list[str]:
    return [event.what for event in record.history]


def test_registered_run_has_its_process_and_a_heartbeat(run: LiveRun) -> None:
    record = run.record()
    assert (record.id, record.status, record.created_at) == (
        run.folder.name,
        Status.RUNNING,
        "2026-11-20T12:00:00.000Z",
    )
    assert record.process == liveness.this_process()
    assert events(record) == ["registered"]
    assert (run.folder / "heartbeat").exists()


def test_folder_with_a_record_is_not_registered_again(run: LiveRun) -> None:
    with pytest.raises(Conflict, match="never overwritten"):
        start(run.folder)
    assert run.record().revision == 0


def test_normal_end_completes_the_run_and_stops_its_heartbeat(run: LiveRun) -> None:
    with recording(run):
        pass
    record = run.record()
    assert (record.status, events(record)) == (Status.COMPLETED, ["registered", "completed"])
    assert record.ended_at is not None
    assert run.folder not in heartbeat._heartbeats


def test_failure_is_recorded_with_traceback_and_raised(run: LiveRun) -> None:
    with pytest.raises(BadInput, match="no column 'text'"), recording(run):
        raise BadInput("data/train.csv has no column 'text'. Say which with data.text=")
    record = run.record()
    assert record.status is Status.FAILED
    assert record.failure is not None
    assert (record.failure.type, record.failure.traceback) == ("BadInput", "traceback.txt")
    assert record.status_reason == "BadInput: data/train.csv has no column 'text'. Say which with data.text="
    assert "test_live.py" in record.failure.where
    assert 'raise BadInput("data/train.csv' in (run.folder / "traceback.txt").read_text()


def test_message_that_may_quote_a_text_is_written_nowhere(run: LiveRun, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    text = SECRET
    with pytest.raises(ValueError, match="Tuesday"), recording(run):
        int(text)
    assert run.record().status_reason == "ValueError: Its message is not kept, since it may quote the data"
    content = b"".join(path.read_bytes() for path in run.folder.rglob("*") if path.is_file())
    assert SECRET.encode() not in content
    assert SECRET not in caplog.text


def test_exit_within_a_training_is_a_failure_even_with_code_0(run: LiveRun) -> None:
    with pytest.raises(SystemExit), recording(run):
        sys.exit(0)
    assert run.record().status is Status.FAILED
    assert run.record().status_reason == "SystemExit: exit(0) was called before the training was over"


def test_ctrl_c_is_an_interruption_even_if_lightning_exits(run: LiveRun) -> None:
    def exit_as_lightning_does() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    end_with(run, SystemExit, exit_as_lightning_does)
    assert (run.record().status, run.record().status_reason) == (Status.INTERRUPTED, "Ctrl-C")


def test_sigterm_is_an_interruption(run: LiveRun) -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop = end_with(run, Terminated, lambda: signal.raise_signal(signal.SIGTERM))
    assert stop.code == 143
    assert (run.record().status, run.record().status_reason) == (Status.INTERRUPTED, "SIGTERM")
    assert signal.getsignal(signal.SIGTERM) is before


def test_notice_of_preemption_under_slurm_is_an_interruption(run: LiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    end_with(run, Terminated, lambda: signal.raise_signal(signal.SIGUSR1))
    assert run.record().status_reason == "SIGUSR1 from SLURM"


SLURM_STATES = {
    "preempted": "JobState=RUNNING Reason=None Requeue=1 Restarts=0 PreemptTime=2026-11-24T16:47:12",
    "cancelled": "JobState=CANCELLED Reason=None Requeue=1 Restarts=0 PreemptTime=None",
    "never requeued": "JobState=RUNNING Reason=None Requeue=0 Restarts=0 PreemptTime=2026-11-24T16:47:12",
    "unknown": "",
}
"""Output of `scontrol show job`; the first one is from a real SLURM 22.05."""


@pytest.mark.parametrize(
    ("signum", "state", "requeued"),
    [
        (signal.SIGUSR1, "unknown", True),
        (signal.SIGTERM, "preempted", True),
        (signal.SIGTERM, "cancelled", False),
        (signal.SIGTERM, "never requeued", False),
        (signal.SIGTERM, "unknown", False),
    ],
)
def test_slurm_job_is_requeued_if_it_was_preempted(
    run: LiveRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: signal.Signals, state: str, requeued: bool
) -> None:
    scontrol = tmp_path / "scontrol"
    answers = f'show) echo "{SLURM_STATES[state]}" ;; requeue) echo "$@" > {tmp_path}/asked ;;'
    scontrol.write_text(f'#!/bin/sh\ncase "$1" in {answers} esac\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    end_with(run, Terminated, lambda: signal.raise_signal(signum))
    asked = tmp_path / "asked"
    assert (asked.read_text() if asked.exists() else None) == ("requeue 17\n" if requeued else None)
    assert events(run.record())[-1] == ("requeued" if requeued else "interrupted")
    assert run.record().status is Status.INTERRUPTED


def test_error_during_termination_is_still_an_interruption(run: LiveRun) -> None:
    def fail_to_clean_up() -> None:
        try:
            raise Terminated(signal.SIGTERM)
        finally:
            raise RuntimeError("a worker ended")

    end_with(run, RuntimeError, fail_to_clean_up)
    assert run.record().status is Status.INTERRUPTED


@pytest.mark.parametrize(
    ("signum", "why"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")], ids=["sigterm", "ctrl-c"]
)
@pytest.mark.parametrize("replaced", [True, False], ids=["another error", "discarded"])
def test_signal_caught_by_a_library_is_still_an_interruption(
    run: LiveRun, signum: signal.Signals, why: str, replaced: bool
) -> None:
    def library() -> None:
        try:
            signal.raise_signal(signum)
        except BaseException:
            if replaced:
                raise RecursionError("numpy was half imported") from None

    def training() -> None:
        library()
        signals.safe_point()

    end_with(run, Terminated if signum == signal.SIGTERM else KeyboardInterrupt, training)
    assert (run.record().status, run.record().status_reason) == (Status.INTERRUPTED, why)


def test_ignored_ctrl_c_stays_ignored(run: LiveRun) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with recording(run):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.record().status is Status.COMPLETED


def test_forked_worker_ends_on_sigterm_and_records_nothing(run: LiveRun) -> None:
    with recording(run):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write_end, b"up")  # Python loses a signal that arrives while it forks
            signal.sigtimedwait([], 60)
            os._exit(1)
        os.read(read_end, 2)
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
    assert events(run.record()) == ["registered", "completed"]


def test_second_signal_does_not_interrupt_the_recording(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from mhc.runs import atomic\nfrom mhc.runs.outcome import recording\nfrom tests.runs.test_live import start\n"
        "run = start(Path(sys.argv[1]))\nwrite = atomic.write\n"
        "def interrupted(path, content, durable=True):\n"
        "    for signum in (signal.SIGTERM, signal.SIGINT):\n        os.kill(os.getpid(), signum)\n"
        "    write(path, content)\n"
        "with recording(run):\n    atomic.write = interrupted\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    folder = folders.claim(tmp_path, "a", NOW)
    process = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert "Terminated: SIGTERM" in process.stderr
    assert store.read(folder).status is Status.INTERRUPTED


def test_ended_run_is_not_ended_again(run: LiveRun) -> None:
    run.complete()
    run.fail(RuntimeError())
    run.interrupt("Ctrl-C")
    assert events(run.record()) == ["registered", "completed"]


def test_outcome_that_cannot_be_written_is_logged(run: LiveRun, caplog: pytest.LogCaptureFixture) -> None:
    def damage_the_record() -> None:
        (run.folder / "run.json").write_text("{")
        raise OSError("the disk failed")

    end_with(run, OSError, damage_the_record)
    assert f"The outcome of run {run.folder.name} was not recorded" in caplog.text
    assert (run.folder / "run.json").read_text() == "{", "nothing replaces a record that cannot be read"


@pytest.mark.parametrize(
    "environment",
    [{"LOCAL_RANK": "1"}, {"RANK": "3", "LOCAL_RANK": "0"}, {"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}],
    ids=["lightning", "torchrun", "srun"],
)
def test_other_ranks_write_nothing(
    tmp_path: Path, run: LiveRun, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    before = run.record()
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    other = start(tmp_path)
    other.complete()
    assert list(tmp_path.glob("run.json")) == []
    run.note_timing(Timing(fit_s=1.0))
    run.classify(POLICY)
    end_with(run, OSError, lambda: (tmp_path / "missing").read_text())
    assert run.record() == before


def test_facts_and_results_are_recorded_in_their_fields(run: LiveRun) -> None:
    run.note_start(smoke=Smoke(), data=data_facts(), model=model_facts(), world_size=2)
    run.note_timing(Timing(fit_s=12.0))
    run.note_timing(Timing(tokens_per_s=900.0))
    run.note_metrics("val", Metrics(accuracy=0.7, f1_macro=0.6))
    run.note_metrics("test", Metrics(accuracy=0.65, loss=float("inf"), recall={"a": float("nan"), "b": 0.5}))
    run.note_promotion(Promotion(candidate=False, reason="the test split is too small"))
    record = run.record()
    assert record.data == data_facts()
    assert record.model == model_facts()
    assert record.process is not None
    assert record.process.world_size == 2
    assert record.timing == Timing(fit_s=12.0, tokens_per_s=900.0)
    assert record.metrics.val == Metrics(accuracy=0.7, f1_macro=0.6)
    assert record.metrics.test == Metrics(accuracy=0.65, recall={"b": 0.5})
    assert events(record) == ["registered", "started", "val measured", "test measured", "not a candidate"]


def test_checkpoint_is_recorded_with_its_checksum(run: LiveRun) -> None:
    path = run.folder / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    run.note_checkpoint(path, monitor="val/f1_macro", score=float("nan"))
    checkpoint = run.record().checkpoint
    assert checkpoint is not None
    assert (checkpoint.path, checkpoint.bytes, checkpoint.score) == ("checkpoints/best.ckpt", 7, None)
    assert checkpoint.sha256 == hashlib.sha256(b"weights").hexdigest()


def test_category_is_recorded_once_with_its_reason(run: LiveRun) -> None:
    run.classify(POLICY)
    run.classify(POLICY)
    assert events(run.record()) == ["registered", "classified"]
    assert (run.record().category, run.record().category_reason) == (Category.BASELINE, "no rule makes it a debug run")


def record_as_lost(run: LiveRun) -> None:
    store.update(run.folder, lambda old: replace(old, status=Status.LOST, status_reason="no heartbeat for 400 s"))


def test_lost_run_that_records_something_is_running_again(run: LiveRun) -> None:
    record_as_lost(run)
    run.note_timing(Timing(fit_s=1.0))
    record = run.record()
    assert (record.status, record.status_reason) == (Status.RUNNING, "")
    assert (record.history[-1].what, record.history[-1].why) == (
        "came back", "it was presumed lost: no heartbeat for 400 s",
    )  # fmt: skip


def test_lost_run_is_running_again_at_its_next_heartbeat(tmp_path: Path) -> None:
    run = start(folders.claim(tmp_path, "a", NOW))
    heartbeat.stop(run.folder)
    changed = threading.Event()

    def on_change() -> None:
        run.restore_running()
        changed.set()

    heartbeat.start(run.folder, 0.01, on_change)
    record_as_lost(run)
    assert changed.wait(20)
    heartbeat.stop(run.folder)
    assert (run.record().status, events(run.record())[-1]) == (Status.RUNNING, "came back")


def test_lost_run_can_still_complete(run: LiveRun) -> None:
    with recording(run):
        record_as_lost(run)
    assert run.record().status is Status.COMPLETED


def test_heartbeat_continues_while_the_main_thread_is_busy(tmp_path: Path) -> None:
    run = start(folders.claim(tmp_path, "a", NOW), beat=0.01)
    path = run.folder / "heartbeat"
    times: set[int] = set()
    while len(times) < 5:  # a loop of pure Python that never waits
        times.add(path.stat().st_mtime_ns)
    heartbeat.stop(run.folder)


def test_heartbeat_goes_on_in_an_archived_folder(tmp_path: Path) -> None:
    run = start(folders.claim(tmp_path, "a", NOW))
    beat = heartbeat._heartbeats[run.folder]
    place = folders.archive(run.folder, tmp_path, Location.ARCHIVED)
    (place / "heartbeat").unlink()
    beat.beat()
    assert (place / "heartbeat").exists()
    assert not run.folder.exists(), "it does not come back"
    assert isinstance(end_request.pending(), FolderMoved), "the training is asked to end"
    heartbeat.stop(run.folder)
    end_request.clear()


@pytest.mark.parametrize("status", ["failed", "interrupted", "lost"])
def test_run_that_did_not_complete_is_resumed_under_its_id(tmp_path: Path, status: str) -> None:
    folder = a_run(tmp_path, status=status)
    run = LiveRun.resume(folder, POLICY.liveness)
    record = run.record()
    assert (record.id, record.status, record.ended_at) == (folder.name, Status.RUNNING, None)
    assert record.process == liveness.this_process()
    assert events(record)[-1] == "resumed"
    assert record.history[-1].why == f"from the beginning, there is no checkpoint yet; it was {status}"
    with recording(run):
        pass
    assert events(run.record())[-2:] == ["resumed", "completed"]


def test_killed_run_recorded_as_running_is_resumed(tmp_path: Path) -> None:
    dead = replace(liveness.this_process(), pid=99_999_999)
    run = LiveRun.resume(a_run(tmp_path, status="running", process=dead), POLICY.liveness)
    assert run.record().process == liveness.this_process()
    run.complete()


def test_live_run_is_not_resumed(run: LiveRun) -> None:
    with pytest.raises(Conflict, match=rf"is still running as process {os.getpid()} on .* mhc stop"):
        LiveRun.resume(run.folder, POLICY.liveness)
    assert events(run.record()) == ["registered"]


def test_completed_imported_and_archived_runs_are_not_resumed(tmp_path: Path) -> None:
    runs = {
        "is completed": a_run(tmp_path, "a"),
        "imported from another tracker": a_run(tmp_path, "b", status="unknown"),
        "is archived. Restore it first": a_run(tmp_path, "c", status="failed", location="archive_baseline"),
    }
    for why, folder in runs.items():
        with pytest.raises(Refused, match=why):
            LiveRun.resume(folder, POLICY.liveness)


def test_only_one_of_two_processes_resumes_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_run(tmp_path, status="failed")
    last = live.checkpoints.last_checkpoint

    def resume_in_another_process(at: Path) -> Path | None:
        store.update(at, lambda old: replace(old, status=Status.RUNNING))
        return last(at)

    monkeypatch.setattr(live.checkpoints, "last_checkpoint", resume_in_another_process)
    with pytest.raises(Conflict, match="was changed meanwhile"):
        LiveRun.resume(folder, POLICY.liveness)
