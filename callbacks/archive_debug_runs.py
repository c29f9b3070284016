"""When a fit ends: old debug runs and old failures leave `outputs/` for an archive."""

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
    """Tidy up once per training. What goes wrong is logged and never costs the training.

    Args:
        run: the run of this training; it is never archived by itself.
        policy: its section `archiving` decides.
        outputs: where the runs lie.
        models: whose bundles protect the runs they came from.
        enabled: `auto_archive=false` switches it off for one run.
    """

    def __init__(
        self, run: LiveRun, policy: Policy, outputs: str | Path, models: str | Path, enabled: bool = True
    ) -> None:
        self.run, self.policy, self.enabled = run, policy, enabled
        self.outputs, self.models = Path(outputs), Path(models)

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Archive what the policy says is due."""
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
        except Exception as problem:  # housekeeping never costs a training
            log.warning("Old runs were not archived (%s: %s); the training goes on", type(problem).__name__, problem)
