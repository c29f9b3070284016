"""TensorBoard's writers among the loggers of a training; other loggers have no place for figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def tensorboards(trainer: pl.Trainer) -> list[TensorBoardLogger]:
    """The TensorBoard loggers; none on the ranks that write nothing."""
    if not trainer.is_global_zero:
        return []
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def writers(trainer: pl.Trainer) -> list[SummaryWriter]:
    """What figures and curves are written with."""
    return [logger.experiment for logger in tensorboards(trainer)]
