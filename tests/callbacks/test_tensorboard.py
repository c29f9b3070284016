"""Figures, curves and parameters, read back from real TensorBoard files after a real training."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from callbacks.figures import Figures
from callbacks.hparams import HParams, leaves
from callbacks.pr_curves import PrCurves
from callbacks.throughput import Throughput
from mhc.errors import BadConfig
from mhc.model.classifier import TextClassifier
from mhc.report.tensorboard import BEST, FINAL_METRICS, TensorBoard
from tests.support.learning import LABELS, Data, a_classifier, a_trainer

Trained = tuple[TextClassifier, EventAccumulator, EventAccumulator]
"""The model, its curves, and the scores of its best checkpoint."""
VALUES = {"seed": 1, "model": {"name": "tiny", "optimizer": {"lr": 5e-3}}, "data": {"max_train_rows": None}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("board")
    board = TensorBoard(str(folder))
    model = a_classifier()
    trainer = a_trainer(folder, Figures(), PrCurves(), HParams(VALUES), Throughput(3), logger=board)
    trainer.fit(model, datamodule=Data())
    trainer.validate(model, datamodule=Data(), verbose=False)
    trainer.test(model, datamodule=Data(), verbose=False)
    return model, read(folder / "tensorboard"), read(folder / "tensorboard" / BEST)


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


def test_hparams_has_the_metrics_of_the_best_checkpoint(trained: Trained) -> None:
    model, curves, best = trained
    shown = {metric.name.tag for metric in hparams_content(curves, "experiment").experiment.metric_infos}
    assert shown == set(FINAL_METRICS)
    for tag in shown:
        (point,) = best.Scalars(tag)
        assert point.value == pytest.approx(getattr(model.results["val"].metrics, tag.split("/")[1]), abs=1e-6)
    assert {metric.name.group for metric in hparams_content(curves, "experiment").experiment.metric_infos} == {BEST}


def test_hparams_has_its_columns_in_order(trained: Trained) -> None:
    start = hparams_content(trained[1], "session_start_info").session_start_info
    assert start.hparams["model.optimizer.lr"].number_value == 5e-3
    columns = [column.name for column in hparams_content(trained[1], "experiment").experiment.hparam_infos]
    assert columns == ["seed", "model.name", "model.optimizer.lr", "data.max_train_rows"]


def hparams_content(events: EventAccumulator, name: str) -> plugin_data_pb2.HParamsPluginData:
    content = events.SummaryMetadata(f"_hparams_/{name}").plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


def test_curves_do_not_end_in_the_best_checkpoint_score(trained: Trained) -> None:
    _, curves, best = trained
    scalars = curves.Tags()["scalars"]
    assert not [tag for tag in scalars if tag.startswith(("final/", "test/", "epoch"))]
    steps = [point.step for point in curves.Scalars("val/f1_macro")]
    assert len(steps) == len(set(steps)), "one point per epoch"
    assert {"val/f1_macro", "test/f1_macro"} <= set(best.Tags()["scalars"])


def test_custom_layout_begins_with_quality(trained: Trained) -> None:
    from tensorboard.plugins.custom_scalar import layout_pb2

    (event,) = trained[1].Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == ["quality", "classes", "speed"]
    assert [chart.title for chart in layout.category[0].chart][:2] == ["loss", "macro-F1"]


def test_many_classes_have_no_curves_each(tmp_path: Path) -> None:
    board = TensorBoard(str(tmp_path), max_classes=2)
    board.log_metrics({"val/f1_macro": 0.5, "epoch": 1} | {f"val/recall/{label}": 0.5 for label in LABELS}, 3)
    board.finalize("success")
    assert read(tmp_path / "tensorboard").Tags()["scalars"] == ["val/f1_macro"]


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
