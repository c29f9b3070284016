"""Write the parameters to TensorBoard's HParams page when a fit starts, and the metrics after the final passes."""

from __future__ import annotations

from collections.abc import Mapping

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_only

from mhc import redaction
from mhc.facts import Metrics
from mhc.model import classifier
from mhc.record import flatten
from mhc.report.curves import tensorboards

METRICS = ("accuracy", "f1_macro", "loss", "ece")
SPLITS = ("val", "test")

Tree = Mapping[str, object]


class HParams(Callback):
    """Columns `final/<split>_<metric>`: the metrics of the best checkpoint, as recorded.

    HParams shows a metric only if its name was registered with the parameters, before the first value, so each is
    registered as 0 at step 0 and written again when it is measured.

    Args:
        values: parts of the configuration, as a nested mapping; its leaves become the columns of the page.
    """

    def __init__(self, values: Tree) -> None:
        self.values = {key: redaction.masked(key, value) for key, value in leaves(values).items()}

    @rank_zero_only
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Register parameters and metrics."""
        initial = {f"final/{split}_{name}": 0.0 for split in SPLITS for name in METRICS}
        for board in tensorboards(trainer):
            board.log_hyperparams(self.values, initial)

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the metrics of validation if it is the final pass."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._write(trainer, "val", classifier.of(pl_module).results["val"].metrics)

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the metrics of test."""
        self._write(trainer, "test", classifier.of(pl_module).results["test"].metrics)

    def _write(self, trainer: pl.Trainer, split: str, metrics: Metrics) -> None:
        values = {f"final/{split}_{name}": getattr(metrics, name) for name in METRICS}
        for board in tensorboards(trainer):
            board.log_metrics({name: value for name, value in values.items() if value is not None}, trainer.global_step)
            board.save()


def leaves(values: Tree) -> dict[str, str | int | float | bool]:
    """Return the leaves by their path: `{"optimizer": {"lr": 1}}` becomes `{"optimizer.lr": 1}`.

    A value that is neither a number nor a text becomes a text. Keys that begin with `_` are Hydra's and left out.
    """
    return {
        path: value if isinstance(value, str | int | float | bool) else str(value)
        for path, value in flatten(values).items()
        if not any(key.startswith("_") for key in path.split("."))
    }
