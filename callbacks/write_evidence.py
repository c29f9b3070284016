"""Write the predictions for every example after the best checkpoint has been scored."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_only

from mhc.errors import BadConfig, sentence_of
from mhc.model.results import SplitResult
from mhc.runs import evidence, own_folder

if TYPE_CHECKING:
    from mhc.data.datamodule import TextDataModule

log = logging.getLogger(__name__)


class WriteEvidence(Callback):
    """Writes `evaluation/val.npz` and `test.npz` after `trainer.validate` and `trainer.test`, not within a fit.

    An error is logged with its remedy and never fails the training: `python -m mhc.evaluate` writes the same file
    later, and a run without evidence is not a candidate.
    """

    def __init__(self, run_folder: str | Path, models: str | Path) -> None:
        if not str(run_folder):
            raise BadConfig("callbacks.write_evidence.run_folder is empty; leave it at ${paths.run}")
        self.run_folder, self.models = Path(run_folder), Path(models)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the evidence of validation, but not within a fit, which validates after every epoch."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.write(trainer, pl_module, "val")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the evidence of test."""
        self.write(trainer, pl_module, "test")

    @rank_zero_only
    def write(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        """Write the split's file, or log why not."""
        datamodule: TextDataModule = trainer.datamodule  # type: ignore[attr-defined]
        result: SplitResult = pl_module.results[split]  # type: ignore[index, assignment]
        try:
            write_result(self.run_folder, split, result, datamodule, evidence.key(self.models))
        except Exception as error:  # housekeeping never fails a training
            reason = sentence_of(error) or type(error).__name__
            log.warning(
                "No evidence of %s: %s. Write it with: python -m mhc.evaluate run=ID split=%s", split, reason, split
            )


def write_result(folder: Path, split: str, result: SplitResult, datamodule: TextDataModule, key: bytes) -> Path:
    """Write `<folder>/evaluation/<split>.npz` and return its path.

    Raises:
        BadInput: if the arrays do not match each other, or the file cannot be written.
        NotFound: if the run's folder does not exist.
        FolderMoved: if this process trains the run, and its folder is not at its path any more.
    """
    own_folder.check(folder)
    scored = set(result.rows.tolist())
    ids = b"".join(
        evidence.example_id(text, key) for row, text in enumerate(datamodule.normalised_texts(split)) if row in scored
    )
    path = folder / "evaluation" / f"{split}.npz"
    rows = np.frombuffer(ids, np.uint8).reshape(-1, evidence.ID_BYTES)
    evidence.write(path, rows, result.labels, result.probabilities, datamodule.labels)
    return path
