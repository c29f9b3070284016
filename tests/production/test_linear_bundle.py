"""Bundles of linear models: TF-IDF with its own script, and the hashed bags of earlier versions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mhc.data.ngrams import NgramTokenizer
from mhc.data.tfidf.learn import learned
from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.errors import BadConfig, Unreadable
from mhc.inference.predictor import Predictor
from mhc.model.calibration import apply_temperature
from mhc.model.linear import bag
from mhc.model.tfidf.model import TfidfModel
from mhc.model.weights import Loaded
from mhc.production import bundle, export, linear_bundle
from mhc.production.loading import from_bundle
from mhc.runs.checkpoints import sha256

LABELS = ["anxiety", "normal"]
TEXTS = ["a b c a", "d e f", "a", ""]
REAL = [
    "Rivers run  past\u200b me@example.org, run",
    "17 quiet, QUIET stones!",
    "r\u00edo \u5ddd\u9762",
    "unknown",
    "call 555-123-4567 quiet stones",
]
ALONE = """
import json, sys
for module in ("mhc", "torch", "transformers", "scipy", "sklearn"):
    sys.modules[module] = None
sys.path.insert(0, sys.argv[1])
from load import Model
model = Model(sys.argv[1])
print(json.dumps([model.labels, model.probabilities(json.load(sys.stdin)).tolist()]))
"""


def a_trained_bag(folder: Path) -> Loaded:
    NgramTokenizer(buckets=64, ngrams=2, max_tokens=20, lowercase=True).save_pretrained(folder)
    network = bag(2, 64, 0, LABELS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        network.scores.weight.copy_(torch.randn(64, 2, generator=generator))
    return Loaded(network=network.eval(), tokenizer_folder=folder, labels=LABELS, max_tokens=20)


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_linear_bundle_has_calibrated_network_probabilities(tmp_path: Path, temperature: float) -> None:
    trained = a_trained_bag(tmp_path / "tokenizer")
    folder = tmp_path / "bundle"
    folder.mkdir()
    export.write(trained, folder, temperature)
    bundle.seal(folder)
    probabilities = export.score_with_mhc(folder, TEXTS, 20)
    expected = apply_temperature(export.score_network(trained, TEXTS), temperature)
    assert np.abs(probabilities - expected).max() < 1e-6
    assert from_bundle(folder).labels == LABELS


def test_linear_bundle_has_no_pickle_and_is_not_standalone(tmp_path: Path) -> None:
    trained = a_trained_bag(tmp_path / "tokenizer")
    folder = tmp_path / "bundle"
    folder.mkdir()
    export.write(trained, folder, 1.0)
    assert not export.standalone(trained)
    assert sorted(path.name for path in folder.iterdir()) == [
        "calibration.json", "config.json", "model.safetensors", "ngrams.json",
    ]  # fmt: skip
    assert load_file(folder / "model.safetensors")["scores.weight"].shape == (64, 2)


def a_tfidf_bundle(tmp_path: Path, temperature: float = 1.0) -> tuple[Loaded, Path]:
    """Return a model of random weights and its sealed bundle."""
    empty = TfidfTokenizer(ngrams=2, longest_piece=5, max_tokens=20, lowercase=True, split_digits=True, mask=True)
    vocabulary = learned(empty, [text.replace("\u200b", "") for text in REAL[:3]], None, min_texts=1)
    vocabulary.save_pretrained(tmp_path / "tokenizer")
    chance = np.random.default_rng(1)
    model = TfidfModel(
        weight=chance.normal(size=(len(vocabulary), 2)).astype(np.float32),
        bias=chance.normal(size=2).astype(np.float32),
        rarity=chance.uniform(1, 5, len(vocabulary)).astype(np.float32),
        first_piece=vocabulary.first_piece,
    )
    trained = Loaded(network=model, tokenizer_folder=tmp_path / "tokenizer", labels=LABELS, max_tokens=20)
    folder = tmp_path / "bundle"
    folder.mkdir()
    export.write(trained, folder, temperature)
    bundle.seal(folder)
    return trained, folder


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_tfidf_bundle_is_the_same_model_with_and_without_mhc(tmp_path: Path, temperature: float) -> None:
    trained, folder = a_tfidf_bundle(tmp_path, temperature)
    expected = apply_temperature(Predictor(trained)(REAL)[1], temperature)
    assert np.abs(Predictor(from_bundle(folder))(REAL)[1] - expected).max() < 1e-6
    command = [sys.executable, "-I", "-c", ALONE, str(folder)]
    done = subprocess.run(command, input=json.dumps(REAL), capture_output=True, text=True, check=True, cwd=tmp_path)
    labels, probabilities = json.loads(done.stdout)
    assert labels == LABELS
    assert np.abs(np.array(probabilities) - expected).max() < 1e-6
    assert len({round(float(row[0]), 4) for row in expected}) > 2


def test_script_of_a_bundle_runs_by_itself(tmp_path: Path) -> None:
    trained, folder = a_tfidf_bundle(tmp_path)
    command = [sys.executable, "-I", str(folder / "load.py"), REAL[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    [label], probabilities = Predictor(trained)(REAL[1:2])
    answer = json.loads(done.stdout)
    assert answer["label"] == label
    assert answer["probabilities"] == pytest.approx(dict(zip(LABELS, probabilities[0].tolist(), strict=True)), abs=1e-6)


def test_tfidf_bundle_has_vocabulary_weights_and_script(tmp_path: Path) -> None:
    trained, folder = a_tfidf_bundle(tmp_path)
    assert not export.standalone(trained)
    names = {path.name for path in folder.iterdir()}
    assert names >= {"config.json", "model.safetensors", "tfidf.json", "load.py", "calibration.json"}
    assert bundle.hazards(folder) == []


def test_script_that_mhc_did_not_write_is_a_hazard(tmp_path: Path) -> None:
    _, folder = a_tfidf_bundle(tmp_path)
    with (folder / "load.py").open("a") as file:
        file.write("print(1)\n")
    bundle.seal(folder)
    with pytest.raises(Unreadable, match=r"load\.py is not the script that mhc writes"):
        from_bundle(folder)


def test_script_is_known_to_the_bundles_of_this_version() -> None:
    digest = sha256(linear_bundle.SCRIPT)
    assert digest in bundle.LOAD_SCRIPTS, f"add {digest} to LOAD_SCRIPTS, and leave those of earlier versions"


def test_weights_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    _, folder = a_tfidf_bundle(tmp_path)
    numbers = load_file(folder / "model.safetensors")
    save_file(numbers | {"rarity": numbers["rarity"][:-1].clone()}, folder / "model.safetensors")
    bundle.seal(folder)
    with pytest.raises(Unreadable, match="do not fit the vocabulary"):
        from_bundle(folder)


def test_other_device_than_the_cpu_is_refused(tmp_path: Path) -> None:
    trained, _ = a_tfidf_bundle(tmp_path)
    with pytest.raises(BadConfig, match=r"device=cuda, but a linear model is computed on the CPU"):
        Predictor(trained, device="cuda")
    with pytest.raises(BadConfig, match="precision=int8 is none of auto, bf16, fp32"):
        Predictor(trained, precision="int8")


def test_prediction_by_a_bundle_imports_no_torch(tmp_path: Path) -> None:
    _, folder = a_tfidf_bundle(tmp_path)
    code = (
        "import sys; from mhc.predict import main; main(); "
        "print({'torch', 'pytorch_lightning', 'torchmetrics', 'transformers', 'sklearn'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, f"bundle={folder}", "text=quiet stones"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.splitlines()[-1] == "set()"
