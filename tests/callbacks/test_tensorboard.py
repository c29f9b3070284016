"""Figures, curves and parameters, read back from real TensorBoard files after a real training."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from callbacks.figures import Figures
from callbacks.hparams import HParams, leaves
from callbacks.pr_curves import PrCurves
from callbacks.throughput import Throughput
from mhc.errors import BadConfig
from mhc.model.classifier import TextClassifier
from tests.support.learning import LABELS, Data, a_classifier, a_trainer

Trained = tuple[TextClassifier, EventAccumulator]
VALUES = {"seed": 1, "model": {"name": "tiny", "optimizer": {"lr": 5e-3}}, "data": {"max_train_rows": None}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("board")
    board = TensorBoardLogger(folder, "tensorboard", "", default_hp_metric=False)
    model = a_classifier()
    trainer = a_trainer(folder, Figures(), PrCurves(), HParams(VALUES), Throughput(3), logger=board)
    trainer.fit(model, datamodule=Data())
    trainer.validate(model, datamodule=Data(), verbose=False)
    trainer.test(model, datamodule=Data(), verbose=False)
    return model, read(folder / "tensorboard")


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0, "scalars": 0})
    return events.Reload()


def test_both_figures_of_both_splits_are_drawn_once(trained: Trained) -> None:
    events = trained[1]
    drawn = {tag: len(events.Images(tag)) for tag in events.Tags()["images"]}
    names = [f"figures/{split}_{kind}" for split in ("val", "test") for kind in ("confusion", "reliability")]
    assert drawn == dict.fromkeys(names, 1)
    assert all(events.Images(tag)[0].encoded_image_string.startswith(b"\x89PNG") for tag in drawn)


def test_every_class_has_its_precision_and_recall_curve(trained: Trained) -> None:
    tags = trained[1].Tags()["tensors"]
    assert {f"{split}/{label}" for split in ("val", "test") for label in LABELS} <= set(tags)


def test_hparams_has_the_metrics_of_the_results(trained: Trained) -> None:
    model, events = trained
    for split in ("val", "test"):
        for name in ("accuracy", "f1_macro", "loss", "ece"):
            shown = events.Scalars(f"final/{split}_{name}")[-1].value
            assert shown == pytest.approx(getattr(model.results[split].metrics, name), abs=1e-6)


def test_hparams_registers_parameters_and_metric_names(trained: Trained) -> None:
    content = trained[1].SummaryMetadata
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(trained[1].summary_metadata)
    start = plugin_data_pb2.HParamsPluginData.FromString(
        content("_hparams_/session_start_info").plugin_data.content
    ).session_start_info
    assert set(start.hparams) == {"seed", "model.name", "model.optimizer.lr", "data.max_train_rows"}
    experiment = plugin_data_pb2.HParamsPluginData.FromString(
        content("_hparams_/experiment").plugin_data.content
    ).experiment
    assert "final/test_f1_macro" in {metric.name.tag for metric in experiment.metric_infos}


def test_tokens_per_second_and_the_learning_rate_have_curves(trained: Trained) -> None:
    events = trained[1]
    assert all(point.value > 0 for point in events.Scalars("train/tokens_per_s"))
    assert [point.step for point in events.Scalars("train/lr")] == [
        point.step for point in events.Scalars("train/loss")
    ]


def test_leaves_are_named_by_path_and_are_numbers_or_text() -> None:
    assert leaves(VALUES) == {
        "seed": 1,
        "model.name": "tiny",
        "model.optimizer.lr": 5e-3,
        "data.max_train_rows": "None",
    }


def test_training_without_tensorboard_writes_no_curves(tmp_path: Path) -> None:
    model = a_classifier()
    trainer = a_trainer(tmp_path, Figures(), PrCurves(), HParams(VALUES), Throughput(3), max_epochs=1)
    trainer.fit(model, datamodule=Data())
    trainer.test(model, datamodule=Data(), verbose=False)
    assert model.results["test"].metrics.accuracy is not None


def test_logging_interval_of_zero_is_refused() -> None:
    with pytest.raises(BadConfig, match="every_n_steps is 0; it must be 1 or more"):
        Throughput(0)
