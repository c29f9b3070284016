"""When validation and test have been scored with the best checkpoint: draw the confusion matrix and the reliability."""

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

    Only of the final passes: drawing within a fit would cost half a second per epoch. A failure is logged and costs
    no training.
    """

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws validation when it is the final pass."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            draw(trainer, pl_module, "val")

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws test."""
        draw(trainer, pl_module, "test")


def draw(trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
    """Put both figures of a split into every TensorBoard folder of the training."""
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
    """Both figures of a result, as pixels."""
    confusion = plots.confusion_figure(result.labels, result.probabilities, names)
    reliability = plots.reliability_figure(result.labels, result.probabilities, result.metrics.ece)
    return {"confusion": plots.pixels(confusion), "reliability": plots.pixels(reliability)}
