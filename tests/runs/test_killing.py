from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trainings_killed_anywhere_leave_the_truth_on_record(tmp_path: Path) -> None:
    """A sample; `python scripts/kill_training.py` kills 200."""
    command = [
        sys.executable,
        str(ROOT / "scripts" / "kill_training.py"),
        "--kills",
        "14",
        "--keep",
        str(tmp_path / "k"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 torn records, 0 still running at the next read" in " ".join(done.stdout.split())
