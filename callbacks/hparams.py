"""At the start of a fit: tell TensorBoard's HParams page the parameters; after the final passes: the metrics."""

from __future__ import annotations

from collections.abc import Mapping

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_only

from mhc.facts import Metrics
from mhc.model import classifier
from mhc.record import flatten
from mhc.report.curves import tensorboards

SHOWN = ("accuracy", "f1_macro", "loss", "ece")
SPLITS = ("val", "test")

Tree = Mapping[str, object]


class HParams(Callback):
    """Columns `final/<split>_<metric>`: the best checkpoint's, as the record has them.

    HParams shows a metric only where its name was registered with the parameters, before the first value; so each is
    registered as 0 at step 0 and written again when it is known.

    Args:
        values: parts of the configuration, nested as they are; their leaves become the columns of the page.
    """

    def __init__(self, values: Tree) -> None:
        self.values = leaves(values)

    @rank_zero_only
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Registers parameters and metrics."""
        unknown = {f"final/{split}_{name}": 0.0 for split in SPLITS for name in SHOWN}
        for board in tensorboards(trainer):
            board.log_hyperparams(self.values, unknown)

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the metrics of validation when it is the final pass."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._write(trainer, "val", classifier.of(pl_module).results["val"].metrics)

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the metrics of test."""
        self._write(trainer, "test", classifier.of(pl_module).results["test"].metrics)

    def _write(self, trainer: pl.Trainer, split: str, metrics: Metrics) -> None:
        known = {f"final/{split}_{name}": getattr(metrics, name) for name in SHOWN}
        for board in tensorboards(trainer):
            board.log_metrics({name: value for name, value in known.items() if value is not None}, trainer.global_step)
            board.save()


def leaves(values: Tree) -> dict[str, str | int | float | bool]:
    """Return the values by dotted keys; a value that is neither a number nor text becomes text.

    Keys that begin with an underscore tell Hydra how to build an object and are left out.
    """
    return {
        key: value if isinstance(value, str | int | float | bool) else str(value)
        for key, value in flatten(values).items()
        if not any(part.startswith("_") for part in key.split("."))
    }
