"""Record the category of the run, with the reason, when a training is set up and again when its fit ends."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from mhc.policy import Policy
from mhc.runs.live import LiveRun


class ClassifyRun(pl.Callback):
    """Classifies the run as debug or baseline; listed after RegisterRun, whose facts it needs.

    Args:
        run: the run of this training.
        policy: its section `classification` decides.
    """

    def __init__(self, run: LiveRun, policy: Policy) -> None:
        self.run = run
        self.policy = policy

    @rank_zero_only
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Classify from the facts before the first step; validate and test call this again, on a fitted run."""
        if stage == "fit":
            self.run.classify(self.policy)

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Classify again: the user may have tagged the run meanwhile."""
        self.run.classify(self.policy)
