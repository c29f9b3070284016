"""Long texts from training to the bundle: windows and parts give the same probabilities in all places."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from mhc.data.batch_loader import BatchLoader
from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files
from mhc.inference.predictor import Predictor
from mhc.model import build, encoder
from mhc.model.calibration import apply_temperature
from mhc.model.losses import CrossEntropy
from mhc.model.optimizers import adamw, warmup_then
from mhc.model.pooling import mean_by_text
from mhc.model.weights import Loaded
from mhc.production import bundle, export
from mhc.production.loading import from_bundle
from tests.data.conftest import BATCHING, CLEANING, SPLITTING, write_csv
from tests.support.encoder_families import WORDS, write_family
from tests.support.learning import a_trainer

MODES = {
    "head_tail": {"long_texts": "head_tail"},
    "windows": {"long_texts": "windows", "window_stride": 4, "max_windows": 3},
}


def some_rows() -> list[tuple[str, str]]:
    """Return texts of 1 to 45 words: some are longer than three windows."""
    return [
        (
            " ".join([*(WORDS[(row * 5 + at) % 11] for at in range(1 + row * 7 % 45)), str(row)]),
            ("calm", "tired")[row % 2],
        )
        for row in range(60)
    ]


def a_training(tmp_path: Path, family: str, pooling: str, reading: dict[str, Any]) -> tuple[TextDataModule, Any, Path]:
    """Train an encoder for one epoch; return the data, the module, and the folder of the tokenizer."""
    source = write_family(tmp_path / "source", family)
    tokenizer = {"kind": "pretrained", "name": str(source), "max_tokens": 12, **reading}
    data = TextDataModule(
        source=Files(train=str(write_csv(tmp_path / "train.csv", some_rows()))),
        cleaning=CLEANING,
        splitting=SPLITTING,
        batching=BATCHING,
        tokenizer=tokenizer,
        cache_dir=str(tmp_path / "cache"),
        seed=1,
    )
    data.prepare()
    network = partial(encoder.pretrained, name=str(source), dropout=0.0, pooling=pooling)
    schedule = partial(warmup_then, warmup=0.1, decay="linear")
    parts: Any = {
        "name": "tiny",
        "network": network,
        "tokenizer": tokenizer,
        "loss": CrossEntropy,
        "schedule": schedule,
    }
    parts["optimizer"] = partial(adamw, lr=5e-3, weight_decay=0.01)
    facts = {"labels": data.labels, "class_counts": data.class_counts}
    model = build.classifier(parts, **facts, vocab_size=data.vocab_size, pad_id=data.pad_id, seed=1)
    trainer = a_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    return data, model, data.tokenizer_folder


@pytest.mark.parametrize(
    ("family", "pooling", "mode"),
    [
        ("bert", "own", "windows"),
        ("bert", "own", "head_tail"),
        ("deberta-v2", "mean", "windows"),
        ("roberta", "own", "windows"),
    ],
)
def test_evidence_prediction_and_bundle_are_the_same(family: str, pooling: str, mode: str, tmp_path: Path) -> None:
    data, model, folder = a_training(tmp_path, family, pooling, MODES[mode])
    facts = data.facts().splits["test"]
    assert facts.truncated
    assert (facts.windowed or 0) > 0 or mode == "head_tail"
    assert model.facts().long_texts == mode
    texts = list(data.normalised_texts("test"))
    evidence = model.results["test"]
    expected = evidence.probabilities

    for parameter in model.network.parameters():
        parameter.requires_grad = False
    reading = data.tokenizing.reading
    trained = Loaded(
        network=model.network.eval(), tokenizer_folder=folder, labels=data.labels, max_tokens=12, reading=reading
    )
    assert np.abs(Predictor(trained, precision="fp32").raw(texts) - expected).max() < 1e-5
    counts: list[int] = []
    Predictor(trained, precision="fp32", batch_tokens=48).predict(texts, on_batch=counts.append)
    assert sum(counts) == len(texts)

    served = tmp_path / "bundle"
    served.mkdir()
    export.write(trained, served, 1.7)
    bundle.seal(served)
    assert not export.standalone(trained)
    score, by = export.scorer_of(trained)
    assert by == "its load.py alone"
    calibrated = apply_temperature(expected, 1.7)
    assert np.abs(score(served, texts, 12) - calibrated).max() < 1e-5
    loaded = from_bundle(served)
    assert loaded.reading == reading
    assert np.abs(Predictor(loaded, precision="fp32").raw(texts) - calibrated).max() < 1e-5
    assert bundle.hazards(served) == []


def test_loss_is_a_mean_over_texts_not_windows(tmp_path: Path) -> None:
    data, model, _ = a_training(tmp_path, "bert", "own", MODES["windows"])
    model.eval()
    loader = data.loader("test")
    assert isinstance(loader, BatchLoader)
    batch = next(batch for batch in loader if len(batch["texts"]) > len(batch["rows"]))
    network = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        windows = model.network(**network).logits
        texts = [windows[batch["texts"] == number].mean(0) for number in range(len(batch["rows"]))]
        assert torch.allclose(model(batch), torch.stack(texts), atol=1e-5)
        expected = functional.cross_entropy(torch.stack(texts), batch["labels"])
        assert torch.allclose(model.loss(model(batch), batch["labels"]), expected, atol=1e-5)


def test_mean_of_a_text_reads_its_own_rows() -> None:
    logits = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 7.0]])
    assert mean_by_text(logits, torch.tensor([1, 1, 0]), 2).tolist() == [[5.0, 7.0], [2.0, 1.0]]
