"""When the test has ended: put the run through every gate, and note whether it is a candidate and why (not)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytorch_lightning as pl
from msgspec.structs import replace
from pytorch_lightning import Callback
from pytorch_lightning.utilities import rank_zero_only

from mhc.errors import BadConfig, MhcError
from mhc.policy import Policy, name_of
from mhc.production import gates
from mhc.production.measure import measure
from mhc.record import Promotion, RunRecord, Status
from mhc.runs.live import LiveRun

log = logging.getLogger(__name__)


class FlagForPromotion(Callback):
    """Judges by the same gates as `mhc promote`; a failure to judge is logged and costs no training.

    Where the policy asks for no manual approval, a run that passes is promoted on the spot, with the policy as actor.
    """

    def __init__(self, run: LiveRun, policy: Policy, outputs: str | Path, models: str | Path) -> None:
        if not str(outputs) or not str(models):
            raise BadConfig(
                "callbacks.flag_for_promotion needs its outputs and models; leave them as conf/callbacks has them"
            )
        self.run, self.policy = run, policy.promotion
        self.outputs, self.models = Path(outputs), Path(models)

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run without a test split gets no test, so its verdict is given here."""
        data = self.run.record().data
        if data is not None and "test" not in data.splits:
            self.run.note_promotion(Promotion(candidate=False, reason="the data has no test split to judge on"))

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge, note, and where the policy says so, promote."""
        try:
            self.judge()
        except (MhcError, OSError) as problem:
            log.warning("The run was not judged: %s. Judge it later with: mhc promote ID --dry-run", problem)

    def judge(self) -> None:
        """Note the verdict of every gate."""
        found = measure(
            self.run.folder,
            at_its_end(self.run.record()),
            outputs=self.outputs,
            models=self.models,
            policy=self.policy,
        )
        flagged = gates.flag(found, self.policy, name_of(self.policy))
        self.run.note_promotion(flagged)
        if flagged.candidate and not self.policy.require_manual_approval:
            self.promote()

    def promote(self) -> None:
        """Promote with the policy as the actor."""
        from mhc.production.decision import Request
        from mhc.production.promote import promote

        name = name_of(self.policy)
        promote(
            Request(run=self.run.folder, by=f"policy {name}", why="passed every gate; no manual approval is asked for"),
            outputs=self.outputs,
            models=self.models,
            policy=self.policy,
            record=at_its_end(self.run.record()),
        )


def at_its_end(record: RunRecord) -> RunRecord:
    """The record as it will be in a moment: after the test nothing is left to do but to say that the run completed."""
    return replace(record, status=Status.COMPLETED)
