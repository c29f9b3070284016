"""Write one precision-recall curve per class after the best checkpoint has been scored."""

from __future__ import annotations

import logging

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_only

from mhc.model import classifier
from mhc.report.curves import writers

log = logging.getLogger(__name__)


class PrCurves(Callback):
    """Curves in TensorBoard: `<split>/<label>`, each class against all others. Only for the final passes.

    Args:
        max_classes: number of classes up to which curves are written.
    """

    def __init__(self, max_classes: int = 10) -> None:
        self.max_classes = max_classes

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the curves of validation if it is the final pass."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._write(trainer, pl_module, "val")

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the curves of test."""
        self._write(trainer, pl_module, "test")

    def _write(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        if len(classifier.of(pl_module).labels) <= self.max_classes:
            write(trainer, pl_module, split)


def write(trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
    """Write one curve per class to every TensorBoard folder of the training; an error never fails the training."""
    model = classifier.of(pl_module)
    result = model.results[split]
    try:
        for board in writers(trainer):
            for number, label in enumerate(model.labels):
                truth, scores = result.labels == number, result.probabilities[:, number]
                board.add_pr_curve(f"{split}/{label}", truth, scores, trainer.global_step)
    except Exception as error:
        log.warning("The curves of %s were not drawn (%s); the training goes on", split, type(error).__name__)
