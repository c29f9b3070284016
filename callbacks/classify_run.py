"""When a training is set up, and again when its fit ends: put the category on record, with the reason."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from mhc.policy import Policy
from mhc.runs.live import LiveRun


class ClassifyRun(pl.Callback):
    """Say whether the run is a debug run or a baseline run; stands after RegisterRun, whose facts it needs.

    Args:
        run: the run of this training.
        policy: its section `classification` decides.
    """

    def __init__(self, run: LiveRun, policy: Policy) -> None:
        self.run = run
        self.policy = policy

    @rank_zero_only
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Classify from what is known before the first step; validate and test set up again, on a fitted run."""
        if stage == "fit":
            self.run.classify(self.policy)

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Classify again: the user may have tagged the run meanwhile."""
        self.run.classify(self.policy)
