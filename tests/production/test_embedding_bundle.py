"""Runs of a frozen encoder: they train, predict, are promoted, and their bundles are the same model without mhc."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mhc.errors import BadConfig, Unreadable
from mhc.inference.predictor import Predictor
from mhc.model.calibration import apply_temperature
from mhc.policy import load
from mhc.production import bundle, export
from mhc.production.build_bundle import texts_of_run
from mhc.production.decision import Request
from mhc.production.embedding import embedding_bundle
from mhc.production.loading import from_bundle, from_run
from mhc.production.promote import promote
from mhc.record import RunRecord
from mhc.runs import evidence
from tests.support.embeddings import computed, train, write_project
from tests.support.sentence_settings import write_settings

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TEXTS = ["river stone  cloud", "green seven\u200b walks me@example.org", "unknown", "lamp"]
ALONE = """
import json, sys
for module in ("mhc", "scipy", "sklearn", "pytorch_lightning"):
    sys.modules[module] = None
sys.path.insert(0, sys.argv[1])
from load import Model
model = Model(sys.argv[1])
print(json.dumps([model.labels, model.probabilities(json.load(sys.stdin)).tolist()]))
"""
Trained = tuple[Path, Path, RunRecord]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def first(project: Path) -> Trained:
    """Return the project, and the folder and the record of its first run."""
    return project, *train(project)


def test_second_run_computes_no_text(first: Trained) -> None:
    project, _, record = first
    counts = [[int(number) for number in re.findall(r"\d+", why)] for why in computed(record)]
    splits = record.data.splits if record.data else {}
    assert counts[0] == [splits["train"].rows + splits["val"].rows] * 2 + [0]
    assert counts[-1] == [sum(split.rows for split in splits.values())] * 2 + [0]
    _, again = train(project)
    assert again.metrics.test == record.metrics.test
    assert [why.partition(" of")[0] for why in computed(again)] == ["0", "0"]
    _, other = train(project, "model.network.pooling=max")
    assert [why.partition(" of")[0] for why in computed(other)] != ["0", "0"]


def test_vectors_are_for_their_owner_alone(first: Trained) -> None:
    places = [first[0] / "cache" / "vectors", *(first[0] / "cache" / "vectors").rglob("*")]
    modes = Counter((path.is_dir(), path.stat().st_mode & 0o777) for path in places)
    assert set(modes) == {(True, 0o700), (False, 0o600)}


def test_damaged_vectors_are_computed_again(first: Trained, tmp_path: Path) -> None:
    project = tmp_path / "copy"
    shutil.copytree(first[0] / "cache", project / "cache")
    shutil.copyfile(first[0] / "train.csv", project / "train.csv")
    (project / "encoder").symlink_to(first[0] / "encoder")
    for path in (project / "cache" / "vectors").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    _, record = train(project)
    assert computed(record)[-1].endswith(", 0 were in the cache")
    assert record.metrics.test == first[2].metrics.test


def test_run_predicts_what_it_recorded_without_its_encoder(first: Trained, tmp_path: Path) -> None:
    run = shutil.copytree(first[1], tmp_path / first[1].name)
    config = run / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace(str(first[0] / "encoder"), "/nowhere/encoder"))
    test = evidence.read(run / "evaluation" / "test.npz")
    texts = texts_of_run(first[1], "test")
    probabilities = Predictor.load(run=run)(texts)[1]
    assert np.abs(np.sort(probabilities, axis=0) - np.sort(test.probabilities, axis=0)).max() < 1e-5


def alone(folder: Path, place: Path) -> np.ndarray:
    """Return the probabilities of the texts by the bundle's own script, in a process without mhc."""
    command = [sys.executable, "-I", "-c", ALONE, str(folder)]
    done = subprocess.run(command, input=json.dumps(TEXTS), capture_output=True, text=True, check=True, cwd=place)
    return np.array(json.loads(done.stdout)[1])


def test_promoted_bundle_is_the_same_model_without_mhc(first: Trained, tmp_path: Path) -> None:
    project, run, _ = first
    request = Request(run=run, by="ada", reason="x", force=True)
    models = project / "models"
    promotion = promote(request, outputs=project / "outputs", models=models, policy=load("default").promotion, now=NOW)
    assert promotion.proof is not None
    assert promotion.proof.by == "its load.py alone"
    assert promotion.proof.largest_gap is not None
    assert promotion.proof.largest_gap < 1e-5
    assert promotion.scores is not None
    expected = apply_temperature(Predictor(from_run(run))(TEXTS)[1], promotion.scores.temperature or 1.0)
    assert np.abs(Predictor.load(bundle=promotion.name, models=models)(TEXTS)[1] - expected).max() < 1e-5
    folder = shutil.copytree(models / "production" / promotion.name, tmp_path / "elsewhere")
    assert np.abs(alone(folder, tmp_path) - expected).max() < 1e-5
    assert len({round(float(row[0]), 4) for row in expected}) > 2
    assert "a frozen encoder of transformers" in (folder / "README.md").read_text()


@pytest.mark.parametrize("family", ["albert", "bert", "fnet", "gpt2", "modernbert", "roberta"])
def test_bundle_of_any_family_is_the_same_model(family: str, tmp_path: Path) -> None:
    run, _ = train(write_project(tmp_path, family), "model.features=[encoder]", "test=false")
    trained = from_run(run)
    folder = tmp_path / "bundle"
    folder.mkdir()
    export.write(trained, folder, 1.7)
    bundle.seal(folder)
    assert bundle.hazards(folder) == []
    expected = apply_temperature(Predictor(trained)(TEXTS)[1], 1.7)
    assert np.abs(export.scorer_of(trained)[0](folder, TEXTS, 32) - expected).max() < 1e-5
    assert np.abs(Predictor(from_bundle(folder))(TEXTS)[1] - expected).max() < 1e-5


def test_run_and_bundle_cut_texts_as_the_settings_have_it(tmp_path: Path) -> None:
    write_settings(write_project(tmp_path) / "encoder", texts={"max_seq_length": 9})
    run, record = train(tmp_path)
    assert record.model is not None
    assert record.data is not None
    assert record.model.max_tokens == 9
    assert record.data.splits["train"].truncated
    trained = from_run(run)
    texts = texts_of_run(run, "test")
    recorded = np.sort(evidence.read(run / "evaluation" / "test.npz").probabilities, axis=0)
    folder = tmp_path / "bundle"
    folder.mkdir()
    export.write(trained, folder, 1.0)
    bundle.seal(folder)
    served = from_bundle(folder)
    assert trained.max_tokens == served.max_tokens == 9
    assert Predictor(served).predict(texts).truncated == record.data.splits["test"].truncated
    for probabilities in (Predictor(served)(texts)[1], export.scorer_of(trained)[0](folder, texts, 9)):
        assert np.abs(np.sort(probabilities, axis=0) - recorded).max() < 1e-5


def test_weights_of_another_encoder_are_refused(first: Trained, tmp_path: Path) -> None:
    trained = from_run(first[1])
    export.write(trained, tmp_path, 1.0)
    shutil.copyfile(tmp_path / "encoder" / "model.safetensors", tmp_path / "model.safetensors")
    with pytest.raises(Unreadable, match="do not fit the encoder, the vocabulary and the labels"):
        embedding_bundle.read(tmp_path, trained.labels)


def test_other_precision_than_that_of_the_fit_is_refused(first: Trained) -> None:
    trained = from_run(first[1])
    with pytest.raises(BadConfig, match="precision=bf16, but the encoder of this model is computed in fp32"):
        Predictor(trained, precision="bf16")
    with pytest.raises(BadConfig, match="precision=int8 is none of"):
        Predictor(trained, precision="int8")
