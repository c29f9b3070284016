"""A fine-tuned encoder that reads long texts in windows, from `mhc.train` by `mhc promote` to the bundle's script."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from mhc.model.calibration import apply_temperature
from mhc.production.build_bundle import texts_of_run
from mhc.runs import evidence
from tests.support.embeddings import train, write_project

ROOT = Path(__file__).resolve().parents[2]
ALONE = """
import json, sys
sys.modules["mhc"] = None
sys.path.insert(0, sys.argv[1])
from load import Model
print(json.dumps(Model(sys.argv[1]).probabilities(json.load(sys.stdin)).tolist()))
"""
WINDOWS = (
    "model.tokenizer.max_tokens=8", "model.long_texts=windows", "model.window_stride=2", "model.max_windows=3",
    "model.network.freeze_layers=2", "model.epochs=4", "model.optimizer.lr=1e-2", "name=windows",
)  # fmt: skip

pytestmark = pytest.mark.slow


def make_texts_differ(path: Path) -> None:
    """Enlarge the random weights, so that the network has not the same output for every text."""
    weights = load_file(path)
    save_file({name: value * 5 if value.ndim > 1 else value for name, value in weights.items()}, path, {"format": "pt"})


def command(project: Path, *words: str) -> str:
    """Run `python -m` with the folders of the project, and return what it prints."""
    places = {f"MHC_{name.upper()}": str(project / name) for name in ("outputs", "models", "cache")}
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, cwd=ROOT, env=os.environ | places
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def labelled(project: Path, place: Path, texts: list[str], labels: list[str]) -> np.ndarray:
    """Return the probabilities [n, labels] of texts by `python -m mhc.predict bundle=champion`."""
    with (place / "posts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    words = [f"input={place / 'posts.csv'}", f"output={place / 'labels.csv'}", "precision=fp32"]
    command(project, "mhc.predict", "bundle=champion", *words)
    with (place / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row[f"probability_{label}"]) for label in labels] for row in rows])


def temperature_of(bundle: Path) -> float:
    """Return the temperature that was worked into the weights of the bundle."""
    scores = json.loads((bundle / "promotion.json").read_text())["scores"]
    return float(scores["temperature"] or 1.0)


def test_windows_are_read_alike_from_training_to_production(tmp_path: Path) -> None:
    project = write_project(tmp_path, "bert")
    make_texts_differ(project / "encoder" / "model.safetensors")
    run, record = train(project, *WINDOWS, model="pretrained")
    assert record.data is not None
    test = record.data.splits["test"]
    assert test.windowed
    assert test.truncated, "some texts are longer than all windows"
    said = command(project, "mhc.cli.main", "promote", record.id, "--force", "--by", "x", "--reason", "y")
    assert "scored again by its load.py alone have the same probabilities" in said
    [bundle] = (project / "models" / "production").iterdir()
    texts = texts_of_run(run, "test")
    recorded = evidence.read(run / "evaluation" / "test.npz")
    expected = np.sort(apply_temperature(recorded.probabilities, temperature_of(bundle)), axis=0)
    assert len({round(float(row[0]), 4) for row in expected}) > 5
    served = labelled(project, tmp_path, texts, recorded.label_names)
    assert np.abs(np.sort(served, axis=0) - expected).max() < 1e-5
    elsewhere = shutil.copytree(bundle, tmp_path / "elsewhere")
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(elsewhere)],
        input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert np.abs(np.array(json.loads(done.stdout)) - served).max() < 1e-5
