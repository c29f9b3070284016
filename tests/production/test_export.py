"""Bundles of every family of encoders: transformers alone gives their calibrated probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mhc.model import encoder
from mhc.model.calibration import apply_temperature
from mhc.model.weights import Loaded
from mhc.production import export
from tests.support.encoder_families import FAMILIES, WORDS, write_family

LABELS = ["anxiety", "depression", "normal"]
TEXTS = [" ".join(WORDS[start:]) for start in range(8)]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_calibrated_in_transformers(family: str, tmp_path: Path) -> None:
    source = write_family(tmp_path / "source", family)
    network = encoder.pretrained(3, 60, 0, LABELS, name=str(source), dropout=0.1).eval()
    for parameter in network.parameters():  # so that no class is as probable as another
        parameter.data.mul_(2)
    trained = Loaded(
        network=network, tokenizer_folder=source, labels=LABELS, max_tokens=16, temperature=1.0, name=family
    )
    folder = tmp_path / "bundle"
    folder.mkdir()
    export.write(trained, folder, 2.5)
    alone = export.score_with_transformers(folder, TEXTS, 16)
    raw = export.score_network(trained, TEXTS)
    expected = apply_temperature(raw, 2.5)
    assert np.abs(raw - expected).max() > 1e-4, "the temperature matters"
    assert np.abs(alone - expected).max() < 1e-5
