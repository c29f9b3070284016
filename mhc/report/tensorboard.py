"""TensorBoard's files of a run: curves, parameters, and the scores of the best checkpoint as points of their own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"
BEST = "best"
"""Subfolder, and so suffix of the run's name, of the scores of the best checkpoint."""
FINAL_METRICS = {
    "val/f1_macro": "macro-F1 (val)",
    "val/accuracy": "accuracy (val)",
    "val/loss": "loss (val)",
    "val/ece": "calibration error (val)",
}
"""Columns of HParams and their titles."""
CURVES = {
    "quality": {
        "loss": ["train/loss_epoch", "val/loss"],
        "macro-F1": ["val/f1_macro"],
        "accuracy": ["val/accuracy"],
        "calibration error": ["val/ece"],
    },
    "classes": {"recall": ["val/recall/.*"], "precision": ["val/precision/.*"], "F1": ["val/f1/.*"]},
    "speed": {
        "tokens or n-grams per second": ["train/tokens_per_s", "train/ngrams_per_s"],
        "learning rate": ["train/lr"],
    },
}
"""The page Custom Scalars: groups, charts, and the curves (regular expressions) of each chart."""

Parameter = str | int | float | bool


class TensorBoard(TensorBoardLogger):
    """Lightning logger that writes to `<save_dir>/tensorboard`.

    After `score_best_checkpoint`, scalars go to `tensorboard/best` under the same names: the scores of the best
    checkpoint are points in the charts of the curves instead of a jump at their ends.

    Args:
        save_dir: folder of the run.
        max_classes: number of classes up to which each class has curves of its own.
    """

    def __init__(self, save_dir: str, max_classes: int = 10) -> None:
        super().__init__(save_dir, FOLDER, "", default_hp_metric=False)
        self.max_classes = max_classes
        self._best: SummaryWriter | None = None
        self._has_layout = False

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Write the parameters, and which metrics the page HParams shows beside them."""
        values = {str(name): _parameter(value) for name, value in dict(params).items()}
        for summary in hparams_summaries(values):
            self.experiment._get_file_writer().add_summary(summary)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write scalars; not the number of the epoch, nor those of single classes if there are many."""
        by_class = [name for name in metrics if name.count("/") > 1]
        classes = {name.split("/", 2)[2] for name in by_class}
        is_final = self._best is not None
        omitted = {"epoch", *(by_class if is_final or len(classes) > self.max_classes else ())}
        writer = self._best or self.experiment
        for name, value in metrics.items():
            if name not in omitted:
                writer.add_scalar(name, value, step)
        if not self._has_layout and "val/f1_macro" in metrics:
            self._has_layout = True
            self.experiment.add_custom_scalars(layout(with_classes=0 < len(classes) <= self.max_classes))

    @rank_zero_only
    def score_best_checkpoint(self) -> None:
        """Write all further scalars as scores of the best checkpoint."""
        if self._best is None:
            from torch.utils.tensorboard import SummaryWriter

            self._best = SummaryWriter(str(Path(self.log_dir) / BEST))

    @rank_zero_only
    def save(self) -> None:
        """Write what is pending."""
        for writer in (self._experiment, self._best):
            if writer is not None:
                writer.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the files at the end of fit, validation or test; the next scalar opens them again."""
        for writer in (self._experiment, self._best):
            if writer is not None:
                writer.flush()
                writer.close()


def layout(*, with_classes: bool) -> dict[str, dict[str, list[object]]]:
    """Return CURVES as `SummaryWriter.add_custom_scalars` takes it."""
    return {
        group: {title: ["Multiline", tags] for title, tags in charts.items()}
        for group, charts in CURVES.items()
        if group != "classes" or with_classes
    }


def hparams_summaries(values: Mapping[str, Parameter]) -> list[Summary]:
    """Return what the page HParams reads: the columns of parameters in their order, the metrics, and the values."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    experiment = api_pb2.Experiment(
        hparam_infos=[api_pb2.HParamInfo(name=name, type=_type(value)) for name, value in values.items()],
        metric_infos=[
            api_pb2.MetricInfo(name=api_pb2.MetricName(group=BEST, tag=tag), display_name=title)
            for tag, title in FINAL_METRICS.items()
        ],
    )
    start = plugin_data_pb2.SessionStartInfo()
    for name, value in values.items():
        field = (
            "string_value" if isinstance(value, str) else "bool_value" if isinstance(value, bool) else "number_value"
        )
        setattr(start.hparams[name], field, value)
    contents = {
        metadata.EXPERIMENT_TAG: plugin_data_pb2.HParamsPluginData(experiment=experiment),
        metadata.SESSION_START_INFO_TAG: plugin_data_pb2.HParamsPluginData(session_start_info=start),
    }
    return [
        Summary(value=[Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(content))])
        for tag, content in contents.items()
    ]


def _parameter(value: object) -> Parameter:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _type(value: Parameter) -> Any:  # a number of the enum api_pb2.DataType
    from tensorboard.plugins.hparams import api_pb2

    if isinstance(value, bool):
        return api_pb2.DATA_TYPE_BOOL
    return api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64
