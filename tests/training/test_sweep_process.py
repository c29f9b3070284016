"""The process of a parallel sweep and its jobs end together, and every job that has begun records why."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from omegaconf import DictConfig, OmegaConf

from mhc.errors import BadConfig
from mhc.record import Status
from mhc.runs.end_request import PARENT_ENDED, Terminated
from mhc.training import exit_codes, sweep_process
from scripts.attacks import sweep_signals
from tests.training.test_training import runs


def test_interrupted_training_that_is_no_job_is_left_alone() -> None:
    sweep_process.end_job(Terminated(signal.SIGTERM))
    sweep_process.end_job(KeyboardInterrupt())


def test_reason_of_a_job_names_its_sweep() -> None:
    assert Terminated(PARENT_ENDED).reason == "the process of its sweep has ended"


def test_killed_worker_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    assert exit_codes.code_of_error(TerminatedWorkerError("exit code -9")) == 1
    assert "The process of a job was killed, most likely because the memory" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["+tracker.api_key=a1b2c3d4e5", "+data.url=https://me:a1b2c3d4e5@host/x"])
def test_slurm_sweep_with_a_credential_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    launchers = pytest.importorskip("hydra_plugins.hydra_submitit_launcher.submitit_launcher")
    monkeypatch.setattr(launchers.BaseSubmititLauncher, "launch", lambda *words: "launched")
    start, sweep = sweep_process.SweepProcess().on_multirun_start, tmp_path / "s_sweep"
    sweep.mkdir()
    hydra = {"launcher": {"_target_": "x.submitit_launcher.SlurmLauncher"}, "sweep": {"dir": str(sweep)}}

    def config(word: str) -> DictConfig:
        return OmegaConf.create({"seed": 1, "hydra": {**hydra, "overrides": {"task": ["seed=1,2", word]}}})

    start(config("+tracker.api_key='${oc.env:KEY}'"))
    assert launchers.BaseSubmititLauncher.launch() == "launched"
    start(config(word))
    key = word.partition("=")[0].lstrip("+")
    with pytest.raises(BadConfig, match=rf"{key} is a credential.* '{key}=\$\{{oc\.env:NAME\}}'"):
        launchers.BaseSubmititLauncher.launch()
    assert not sweep.exists()


def test_joblib_has_the_function_that_is_replaced() -> None:
    from joblib.externals.loky import process_executor

    assert callable(process_executor.kill_process_tree)
    assert "kill_process_tree(p)" in Path(process_executor.__file__).read_text()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("target", "signum"),
    [(sweep_signals.parent, signal.SIGKILL), (sweep_signals.group, signal.SIGINT)],
    ids=["killed", "ctrl-c"],
)
def test_jobs_end_with_their_sweep(
    tmp_path: Path, target: Callable[[psutil.Process], psutil.Process | None], signum: signal.Signals
) -> None:
    assert sweep_signals.attack(tmp_path / "sweep", target, signum, None) == ""
    records = [record for _, record in runs(tmp_path / "sweep")]
    assert len(records) >= 2
    reasons = {record.status_reason for record in records}
    assert reasons <= {"the process of its sweep has ended", "Ctrl-C"}
    assert {record.status for record in records} == {Status.INTERRUPTED}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_stopped_job_lets_the_others_go_on(tmp_path: Path) -> None:
    words = ("seed=1,2", "trainer.max_epochs=100")
    (tmp_path / "sweep").mkdir()
    with (tmp_path / "log").open("wb") as log, sweep_signals.start(tmp_path / "sweep", log, words) as started:
        sweep_signals.wait_for_jobs(started, tmp_path / "log", 2)
        job = sweep_signals.one_job(psutil.Process(started.pid))
        assert job is not None
        job.send_signal(signal.SIGTERM)
        started.wait(240)
    text = (tmp_path / "log").read_text()
    records = [record for _, record in runs(tmp_path / "sweep")]
    assert sorted(record.status for record in records) == [Status.COMPLETED, Status.INTERRUPTED], text[-3000:]
    assert [record.status_reason for record in records if record.status is Status.INTERRUPTED] == ["SIGTERM"]
    assert "The job was stopped by SIGTERM" in text
