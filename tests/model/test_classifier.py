from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from mhc.errors import BadConfig, MhcError
from mhc.facts import ModelFacts
from mhc.metrics import measure
from mhc.model.classifier import TextClassifier, of, scalars
from mhc.model.linear import bag
from mhc.model.optimizers import adamw, sgd, warmup_then
from tests.support import programs
from tests.support.learning import LABELS, VOCABULARY, Data, Rows, a_classifier, a_trainer


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> TextClassifier:
    model = a_classifier()
    trainer = a_trainer(tmp_path_factory.mktemp("fit"))
    trainer.fit(model, datamodule=Data())
    trainer.test(model, datamodule=Data(), verbose=False)
    return model


def test_training_reaches_a_good_f1(fitted: TextClassifier) -> None:
    assert fitted.results["val"].metrics.f1_macro > 0.9


def test_results_contain_every_row_once_and_in_order(fitted: TextClassifier) -> None:
    for split, rows, seed in (("val", 37, 2), ("test", 29, 3)):
        result = fitted.results[split]
        assert result.rows.tolist() == list(range(rows))
        assert result.labels.tolist() == Rows(rows, seed).labels.tolist()
        assert result.probabilities.shape == (rows, len(LABELS))
        assert result.probabilities.dtype == np.float32
        assert np.allclose(result.probabilities.sum(axis=1), 1, atol=1e-5)


def test_metrics_are_those_of_the_stored_probabilities(fitted: TextClassifier) -> None:
    result = fitted.results["test"]
    assert result.metrics == measure(result.labels, result.probabilities, LABELS)


def test_two_fits_with_one_seed_give_identical_metrics(tmp_path: Path, fitted: TextClassifier) -> None:
    again = a_classifier()
    torch.rand(100)  # earlier random numbers have no effect
    trainer = a_trainer(tmp_path)
    trainer.fit(again, datamodule=Data())
    trainer.test(again, datamodule=Data(), verbose=False)
    for split in ("val", "test"):
        assert again.results[split].metrics == fitted.results[split].metrics
        assert np.array_equal(again.results[split].probabilities, fitted.results[split].probabilities)


def test_another_seed_gives_other_metrics(tmp_path: Path, fitted: TextClassifier) -> None:
    other = a_classifier(seed=2)
    a_trainer(tmp_path).fit(other, datamodule=Data())
    assert other.results["val"].metrics.loss != fitted.results["val"].metrics.loss


@pytest.mark.filterwarnings("ignore:Checkpoint directory")  # it contains the checkpoint to resume
def test_resumed_fit_gives_the_metrics_of_an_uninterrupted_one(tmp_path: Path, fitted: TextClassifier) -> None:
    class StopAfterFirstEpoch(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            trainer.should_stop = True

    def checkpoint() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path, save_last=True, enable_version_counter=False)

    a_trainer(tmp_path, checkpoint(), StopAfterFirstEpoch(), enable_checkpointing=True).fit(
        a_classifier(), datamodule=Data()
    )
    resumed = a_classifier(seed=1)
    trainer = a_trainer(tmp_path, checkpoint(), enable_checkpointing=True)
    trainer.fit(resumed, datamodule=Data(), ckpt_path=tmp_path / "last.ckpt")
    assert resumed.results["val"].metrics == fitted.results["val"].metrics


def test_checkpoint_can_be_read_with_weights_only(tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, filename="best", enable_version_counter=False)
    a_trainer(tmp_path, checkpoint, enable_checkpointing=True, max_epochs=1).fit(a_classifier(), datamodule=Data())
    content = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert all(key.startswith("network.") for key in content["state_dict"])


def test_curves_have_the_documented_names(tmp_path: Path) -> None:
    trainer = a_trainer(tmp_path, max_epochs=1)
    trainer.fit(a_classifier(), datamodule=Data())
    names = set(trainer.callback_metrics)
    assert {"train/loss", "train/loss_epoch", "train/grad_norm", "val/loss", "val/accuracy", "val/f1_macro"} <= names
    assert {"val/ece", "val/f1/anxiety", "val/precision/normal", "val/recall/depression"} <= names


def test_meter_counts_train_tokens_without_padding(tmp_path: Path) -> None:
    model = a_classifier()
    a_trainer(tmp_path, max_epochs=2).fit(model, datamodule=Data())
    assert model.meter.tokens == 2 * int(Rows(68, 1).lengths.sum())
    assert model.meter.tokens_per_s is not None
    assert model.meter.tokens_per_s > 0


def test_facts_describe_the_network() -> None:
    model = a_classifier()
    size = sum(parameter.numel() for parameter in model.network.parameters())
    assert model.facts() == ModelFacts(
        name="tiny",
        architecture="BertForSequenceClassification",
        parameters=size,
        trainable_parameters=size,
        max_tokens=16,
        pretrained=None,
        attention="sdpa",
    )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true", "64-true"])
def test_gradients_are_clipped_with_the_fused_optimizer(tmp_path: Path, precision: str) -> None:
    norms: list[float] = []

    class Norms(pl.Callback):
        def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            def record(*_: object) -> None:
                norms.append(float(torch.stack([p.grad.norm() for p in pl_module.parameters()]).norm()))

            trainer.optimizers[0].register_step_post_hook(record)

    a_trainer(tmp_path, Norms(), precision=precision, gradient_clip_val=0.01).fit(a_classifier(), datamodule=Data())
    assert norms
    assert max(norms) < 0.0101


def test_gradients_are_freed_before_the_next_batch(tmp_path: Path) -> None:
    allocated: list[bool] = []

    class Gradients(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
            allocated.append(any(p.grad is not None for p in pl_module.parameters()))

    a_trainer(tmp_path, Gradients(), max_epochs=1).fit(a_classifier(), datamodule=Data())
    assert len(allocated) > 1
    assert not any(allocated)


def test_network_may_return_plain_logits(tmp_path: Path) -> None:
    class Plain(nn.Module):
        def __init__(self, classes: int, vocabulary: int, *_: object) -> None:
            super().__init__()
            self.words = nn.EmbeddingBag(vocabulary, classes, padding_idx=0)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
            return self.words(input_ids)

    model = a_classifier(network=Plain)
    a_trainer(tmp_path, max_epochs=1).fit(model, datamodule=Data())
    assert model.facts().architecture == "Plain"
    assert len(model.results["val"].rows) == 37


def test_linear_model_gets_its_rarity_before_training(tmp_path: Path) -> None:
    model = a_classifier(network=bag, optimizer=partial(sgd, lr=3.0, weight_decay=0.0, momentum=0.9))
    a_trainer(tmp_path, max_epochs=4).fit(model, datamodule=Data())
    train = Rows(68, 1)
    inside = torch.arange(12) < train.lengths[:, None]
    documents = sum(int(((ids == 30) & mask).any()) for ids, mask in zip(train.ids, inside, strict=True))
    assert float(model.network.rarity[30]) == pytest.approx(math.log(69 / (1 + documents)) + 1)
    assert float(model.network.rarity[VOCABULARY - 59]) == 0  # id 1 is in no text
    assert model.results["val"].metrics.f1_macro > 0.9


def test_diverged_training_names_the_remedy(tmp_path: Path) -> None:
    model = a_classifier(optimizer=partial(adamw, lr=1e6, weight_decay=0.0))
    with torch.no_grad():
        next(model.network.parameters()).fill_(float("nan"))
    with pytest.raises(MhcError, match=r"diverged; lower model\.optimizer\.lr"):
        a_trainer(tmp_path).fit(model, datamodule=Data())


def test_endless_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"max_epochs is -1"):
        a_trainer(tmp_path, max_epochs=-1).fit(a_classifier(), datamodule=Data())


def test_callback_with_another_module_is_refused() -> None:
    with pytest.raises(BadConfig, match="needs a TextClassifier, but LightningModule is trained"):
        of(pl.LightningModule())


def test_unknown_metric_has_no_curve() -> None:
    assert scalars("val", measure(np.empty(0, np.int64), np.empty((0, 3), np.float32), LABELS)) == {}


def test_learning_rate_rises_and_falls_over_all_steps(tmp_path: Path) -> None:
    rates: list[float] = []

    class Rates(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    schedule = partial(warmup_then, warmup=0.25, decay="linear")
    a_trainer(tmp_path, Rates(), max_epochs=2).fit(a_classifier(schedule=schedule), datamodule=Data())
    peak = rates.index(max(rates))
    assert len(rates) == 2 * len(Rows(68, 1))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[peak] == pytest.approx(5e-3)
    assert rates[-1] < 1e-3


@pytest.mark.slow
def test_two_processes_report_the_whole_split(tmp_path: Path) -> None:
    """Fit with ddp on two CPU processes: both have every row once and in order, and the same metrics."""
    done = programs.run("tests.support.fit_in_two_processes", str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = (np.load(tmp_path / f"rank{rank}.npz") for rank in (0, 1))
    for split, rows, seed in (("val", 37, 2), ("test", 29, 3)):
        assert first[f"{split}_rows"].tolist() == list(range(rows))
        assert first[f"{split}_labels"].tolist() == Rows(rows, seed).labels.tolist()
        assert np.array_equal(first[f"{split}_probabilities"], second[f"{split}_probabilities"])
        assert first[f"{split}_f1_macro"] == second[f"{split}_f1_macro"]
        assert first[f"{split}_logged"] == pytest.approx(float(first[f"{split}_f1_macro"]))
