"""A linear model in a real Trainer: one epoch, one step, a checkpoint, and the choice of its regularisation."""

from __future__ import annotations

import csv
import random
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files
from mhc.errors import BadConfig
from mhc.model import build
from mhc.model.losses import CrossEntropy, Focal
from mhc.model.tfidf.classifier import FittedClassifier
from mhc.model.tfidf.logistic import LogisticRegression
from mhc.model.tfidf.network import tfidf_linear
from tests.support.learning import a_trainer

WORDS = ["river", "stone", "cloud", "lamp", "chair", "green", "seven", "walks", "north", "paper", "quiet", "spoon"]
SIGNS = {"calm": ["calmly", "rest"], "tired": ["tiring", "sleepless"]}


def some_data(folder: Path, rows: int = 120) -> TextDataModule:
    """Return prepared texts of two labels, each author with two of them."""
    chance = random.Random(5)
    with (folder / "train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "author"])
        for row in range(rows):
            label = "calm" if row % 3 else "tired"
            text = [*chance.choices(WORDS, k=8), chance.choice(SIGNS[label]), str(row)]
            writer.writerow([" ".join(text), label, f"author {row // 2}"])
    data = TextDataModule(
        source=Files(train=str(folder / "train.csv"), group="author"),
        cleaning={"conflicting": "drop", "rare_labels": "refuse", "min_rows_per_label": 2, "unknown_labels": "refuse"},
        splitting={"val": 0.2, "test": 0.2, "salt": "x", "train_fraction": 1.0, "max_train_rows": None},
        batching={
            "tokens": 1024, "eval_tokens": 1024, "max_rows": 16, "bucketing": True, "pad_multiple": 8, "prefetch": 0,
        },
        tokenizer={"kind": "tfidf", "max_tokens": 64, "subwords": 5, "min_texts": 2},
        cache_dir=str(folder / "cache"),
        seed=1,
    )  # fmt: skip
    data.prepare()
    return data


def a_model(data: TextDataModule, **changes: Any) -> FittedClassifier:
    parts = {
        "name": "linear",
        "network": tfidf_linear,
        "tokenizer": {"max_tokens": 64},
        "optimizer": None,
        "schedule": None,
        "loss": CrossEntropy,
        "solver": LogisticRegression(strengths=[0.1, 1, 10], folds=3, enough_rows=1000),
    }
    model = build.classifier(
        parts | changes,  # type: ignore[arg-type]
        labels=data.labels,
        class_counts=data.class_counts,
        vocab_size=data.vocab_size,
        pad_id=data.pad_id,
        seed=1,
    )
    assert isinstance(model, FittedClassifier)
    return model


def test_fit_is_one_epoch_of_one_step_with_a_checkpoint(tmp_path: Path) -> None:
    data = some_data(tmp_path)
    model = a_model(data)
    checkpoint = ModelCheckpoint(dirpath=tmp_path / "best", filename="best", monitor="val/f1_macro", mode="max")
    trainer = a_trainer(tmp_path, checkpoint, max_epochs=5, enable_checkpointing=True, gradient_clip_val=1.0)
    trainer.fit(model, data)
    assert (trainer.current_epoch, trainer.global_step) == (1, 1)
    assert model.results["val"].metrics.f1_macro == 1.0
    assert 0 < model.epoch_loss < 0.5
    assert model.meter.unit == "n-grams"
    [(what, why)] = model.notes
    assert what == "regularisation chosen"
    assert why.startswith(f"C = {trainer.callback_metrics['train/C']:g} by cross-validated macro-F1 on ")
    saved = torch.load(checkpoint.best_model_path, weights_only=True)["state_dict"]
    assert torch.equal(saved["network.weight"], model.network.weight)
    again = a_model(data)
    trainer.test(again, data, ckpt_path=checkpoint.best_model_path, verbose=False)
    assert again.results["test"].metrics.f1_macro == 1.0


def test_fit_does_not_depend_on_the_batches(tmp_path: Path) -> None:
    weights = []
    for rows in (3, 16):
        data = some_data(tmp_path)
        data.batching = msgspec.structs.replace(data.batching, max_rows=rows)
        model = a_model(data)
        a_trainer(tmp_path, max_epochs=1).fit(model, data)
        weights.append(model.network.weight.detach().clone())
    assert torch.equal(*weights)


@pytest.mark.parametrize("loss", [partial(CrossEntropy, label_smoothing=0.1), Focal])
def test_loss_that_is_no_cross_entropy_is_refused(tmp_path: Path, loss: Any) -> None:
    with pytest.raises(BadConfig, match=r"^model\.loss of a linear model is cross entropy without label smoothing"):
        a_model(some_data(tmp_path), loss=loss)


def test_class_weights_move_the_decision_to_the_rare_class(tmp_path: Path) -> None:
    data = some_data(tmp_path)
    shares = []
    for weights in ("none", "balanced"):
        solver = LogisticRegression(strengths=[0.1], folds=3, enough_rows=1000)
        model = a_model(data, loss=partial(CrossEntropy, weights=weights), solver=solver)
        a_trainer(tmp_path, max_epochs=1).fit(model, data)
        shares.append(model.results["val"].probabilities[:, data.labels.index("tired")].mean())
    assert shares[0] + 0.05 < shares[1]


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"^model\.solver fits mhc\.model\.tfidf"):
        a_model(some_data(tmp_path), network=lambda labels, size, pad_id, names: torch.nn.Linear(size, labels))
