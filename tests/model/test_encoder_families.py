"""Every family of encoders that transformers can classify with: it trains, and its folder is one for transformers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from mhc.data.tokenizer import Encoded
from mhc.errors import BadConfig
from mhc.model import build, encoder
from mhc.model.scoring import Scorer
from tests.support.encoder_families import FAMILIES, POSITIONS, write_family
from tests.support.learning import LABELS, Data, a_classifier, a_trainer

SDPA = {"albert", "bert", "distilbert", "electra", "gpt2", "modernbert", "qwen2", "roberta", "xlm-roberta"}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_trains_and_loads_in_transformers(family: str, tmp_path: Path) -> None:
    source = write_family(tmp_path / family, family)
    network = partial(encoder.pretrained, name=str(source), dropout=0.1)
    model = a_classifier(network=network)
    before = {name: weights.clone() for name, weights in model.network.named_parameters()}
    trainer = a_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=Data())
    assert model.facts().attention == ("sdpa" if family in SDPA else "eager")
    assert all(weights.isfinite().all() for weights in model.network.parameters())
    assert any(not weights.equal(before[name]) for name, weights in model.network.named_parameters())

    model.network.eval().save_pretrained(tmp_path / "saved")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    batch = next(iter(Data().val_dataloader()))
    with torch.no_grad():
        expected = plain(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.softmax(1)
        assert torch.allclose(model(batch).softmax(1), expected, atol=1e-6)
    assert [plain.config.id2label[number] for number in range(len(LABELS))] == LABELS


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_predicts_in_the_default_precision(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mhc.model.scoring.best_precision", lambda device: "bf16-mixed")
    network = encoder.pretrained(3, 60, 0, LABELS, name=str(write_family(tmp_path / family, family)), dropout=0.1)
    ids = Encoded(ids=np.arange(10, 30, dtype=np.int64), lengths=np.array([12, 8]))
    by_default = Scorer(network, pad_id=0, masked=True).probabilities(ids, 3)
    exact = Scorer(network, pad_id=0, masked=True, precision="fp32").probabilities(ids, 3)
    assert np.allclose(by_default, exact, atol=1e-2)


@pytest.mark.parametrize("family", ["gpt2", "modernbert", "roberta"])
def test_longest_position_bounds_max_tokens(family: str, tmp_path: Path) -> None:
    source = write_family(tmp_path / family, family)
    network = encoder.pretrained(3, 60, 0, LABELS, name=str(source), dropout=0.1)
    most = POSITIONS - 1 if family == "roberta" else POSITIONS
    build.refuse_longer_texts(network, most)
    with pytest.raises(BadConfig, match=f"reads at most {most} tokens"):
        build.refuse_longer_texts(network, most + 1)
