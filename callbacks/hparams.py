"""Write the parameters to TensorBoard's page HParams when a fit starts, and the final scores at its end."""

from __future__ import annotations

from collections.abc import Mapping

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_only

from callbacks.register_run import data_facts
from mhc import redaction
from mhc.record import flatten
from mhc.report.curves import tensorboards
from mhc.report.loggers import inner_of
from mhc.report.tensorboard import TensorBoard

Tree = Mapping[str, object]


class HParams(Callback):
    """One row of the page per run: data, parameters, and the metrics of the best checkpoint on validation.

    Args:
        values: the columns after the name of the data, in their order; of a nested mapping, its leaves.
    """

    def __init__(self, values: Tree) -> None:
        self.values = {key: redaction.masked(key, value) for key, value in leaves(values).items()}

    @rank_zero_only
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the parameters."""
        data = data_facts(trainer)
        for board in tensorboards(trainer):
            board.log_hyperparams(({"data": data.name} if data else {}) | self.values)

    @rank_zero_only
    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Separate the scores of the best checkpoint from the curves if this is the final pass."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            score_best_checkpoint(trainer)

    @rank_zero_only
    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Separate the scores of the best checkpoint from the curves."""
        score_best_checkpoint(trainer)


def score_best_checkpoint(trainer: pl.Trainer) -> None:
    """Tell the loggers of TensorBoard that all further scores are those of the best checkpoint."""
    for board in map(inner_of, tensorboards(trainer)):
        if isinstance(board, TensorBoard):
            board.score_best_checkpoint()


def leaves(values: Tree) -> dict[str, str | int | float | bool]:
    """Return the leaves by their path: `{"optimizer": {"lr": 1}}` becomes `{"optimizer.lr": 1}`.

    A value that is neither a number nor a text becomes a text. Keys that begin with `_` are Hydra's and left out.
    """
    return {
        path: value if isinstance(value, str | int | float | bool) else str(value)
        for path, value in flatten(values).items()
        if not any(key.startswith("_") for key in path.split("."))
    }
