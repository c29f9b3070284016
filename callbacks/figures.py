"""Draw the confusion matrix and the reliability diagram after the best checkpoint has been scored."""

from __future__ import annotations

import logging

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_only

from mhc.model import classifier
from mhc.model.results import SplitResult
from mhc.report import plots
from mhc.report.curves import writers

log = logging.getLogger(__name__)


class Figures(Callback):
    """Images in TensorBoard: `figures/<split>_confusion` and `figures/<split>_reliability`.

    Only for the final passes: drawing within a fit would cost half a second per epoch. An error is logged and never
    fails the training.
    """

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the figures of validation if it is the final pass."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            draw(trainer, pl_module, "val")

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the figures of test."""
        draw(trainer, pl_module, "test")


def draw(trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
    """Write both figures of a split to every TensorBoard folder of the training."""
    model = classifier.of(pl_module)
    boards, result = writers(trainer), model.results[split]
    if not boards or len(result.rows) == 0:
        return
    try:
        for name, image in images(result, model.labels).items():
            for board in boards:
                board.add_image(f"figures/{split}_{name}", image, trainer.global_step, dataformats="HWC")
    except Exception as error:
        log.warning("The figures of %s were not drawn (%s); the training goes on", split, type(error).__name__)


def images(result: SplitResult, names: list[str]) -> dict[str, plots.Pixels]:
    """Return both figures of a result, as pixels."""
    confusion = plots.confusion_figure(result.labels, result.probabilities, names)
    reliability = plots.reliability_figure(result.labels, result.probabilities, result.metrics.ece)
    return {"confusion": plots.pixels(confusion), "reliability": plots.pixels(reliability)}
