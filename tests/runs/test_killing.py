from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from mhc.record import Status
from mhc.runs import folders, store
from tests.support.programs import Program

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trainings_killed_anywhere_have_a_correct_record(tmp_path: Path) -> None:
    """Kill a sample; `python scripts/kill_training.py` kills 200."""
    command = [
        sys.executable,
        str(ROOT / "scripts" / "kill_training.py"),
        "--kills",
        "14",
        "--keep",
        str(tmp_path / "k"),
    ]
    process = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert process.returncode == 0, process.stdout + process.stderr
    assert "0 torn records, 0 still running at the next read" in " ".join(process.stdout.split())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sigterm_ends_both_processes_and_is_recorded(tmp_path: Path) -> None:
    paths = [f"paths.{name}={tmp_path / name}" for name in ("outputs", "models", "cache")]
    words = [
        "model=micro", "trainer=cpu", "trainer.devices=2", "trainer.strategy=ddp",
        "trainer.max_epochs=9999", "callbacks.early_stopping=null", "data.rows=400", *paths,
    ]  # fmt: skip
    with Program("mhc.train", *words) as training:
        while "epoch 2/" not in training.stderr.readline():
            assert training.poll() is None
        ranks = psutil.Process(training.pid).children()
        training.send_signal(signal.SIGTERM)
        training.communicate()
    assert training.returncode == 143
    ((folder, _),) = folders.iter_runs(tmp_path / "outputs")
    assert (store.read(folder).status, store.read(folder).status_reason) == (Status.INTERRUPTED, "SIGTERM")
    assert ranks
    assert psutil.wait_procs(ranks, timeout=30)[1] == []
