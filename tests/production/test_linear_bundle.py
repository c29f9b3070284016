from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mhc.data.ngrams import NgramTokenizer
from mhc.model.calibration import apply_temperature
from mhc.model.linear import bag
from mhc.model.weights import Loaded
from mhc.production import bundle, export
from mhc.production.loading import from_bundle

LABELS = ["anxiety", "normal"]
TEXTS = ["a b c a", "d e f", "a", ""]


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
