"""Archive old debug runs and old failed runs when a fit ends."""

from __future__ import annotations

import logging
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from mhc import timestamps
from mhc.policy import Policy
from mhc.retention.cleanup import clean
from mhc.runs.live import LiveRun

log = logging.getLogger(__name__)


class ArchiveDebugRuns(pl.Callback):
    """Archives due runs once per training. An error is logged and never fails the training.

    Args:
        run: the run of this training; it never archives itself.
        policy: its section `archiving` decides.
        outputs: the folder of the runs.
        models: the folder of the models; the runs of its bundles are protected.
        enabled: False for one run with `auto_archive=false`.
    """

    def __init__(
        self, run: LiveRun, policy: Policy, outputs: str | Path, models: str | Path, *, enabled: bool = True
    ) -> None:
        self.run, self.policy, self.enabled = run, policy, enabled
        self.outputs, self.models = Path(outputs), Path(models)

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Archive the runs that are due under the policy."""
        if not self.enabled:
            return
        try:
            clean(
                self.outputs,
                self.models,
                self.policy,
                now=timestamps.now(),
                by="ArchiveDebugRuns",
                current=self.run.folder.name,
            )
        except Exception as problem:  # housekeeping never fails a training
            log.warning("Old runs were not archived (%s: %s); the training goes on", type(problem).__name__, problem)
