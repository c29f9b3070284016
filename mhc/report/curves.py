"""TensorBoard writers among the loggers of a training; other loggers cannot store figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import Logger

from mhc.report.loggers import inner_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def tensorboards(trainer: pl.Trainer) -> list[Logger]:
    """Return the TensorBoard loggers; none on ranks other than 0, which write nothing."""
    if not trainer.is_global_zero:
        return []
    return [logger for logger in trainer.loggers if isinstance(inner_of(logger), TensorBoardLogger)]


def writers(trainer: pl.Trainer) -> list[SummaryWriter]:
    """Return the TensorBoard writers for figures and curves."""
    experiments = [logger.experiment for logger in tensorboards(trainer)]  # type: ignore[attr-defined]  # all have one
    return [experiment for experiment in experiments if experiment is not None]
