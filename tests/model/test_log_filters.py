from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FIT = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from mhc.model.log_filters import quieten
quieten()
from pathlib import Path
from tests.support.learning import Data, a_classifier, a_trainer
from callbacks.progress import Progress
a_trainer(Path(sys.argv[1]), Progress(), max_epochs=1).fit(a_classifier(), datamodule=Data())
"""


def test_training_prints_only_its_own_lines(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FIT, str(tmp_path)],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("epoch 1/1  loss ")
