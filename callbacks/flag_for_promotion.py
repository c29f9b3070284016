"""Judge the run by every gate after the test, and record whether it is a candidate, with the reason."""

from __future__ import annotations

import logging
from pathlib import Path

import pytorch_lightning as pl
from msgspec.structs import replace
from pytorch_lightning import Callback
from pytorch_lightning.utilities import rank_zero_only

from mhc.errors import BadConfig, sentence_of
from mhc.facts import unmarked_high_risk
from mhc.policy import Policy, name_of
from mhc.production import gates
from mhc.production.measure import measure, no_test_split
from mhc.record import Promotion, RunRecord, Status
from mhc.runs.live import LiveRun

log = logging.getLogger(__name__)


class FlagForPromotion(Callback):
    """Judges by the same gates as `mhc promote`; an error is logged and never fails the training.

    If the policy requires no manual approval, a run that passes is promoted at once, with the policy as the actor.
    """

    def __init__(self, run: LiveRun, policy: Policy, outputs: str | Path, models: str | Path) -> None:
        if not str(outputs) or not str(models):
            raise BadConfig("callbacks.flag_for_promotion needs outputs and models; leave them as in conf/callbacks")
        self.run, self.policy = run, policy.promotion
        self.outputs, self.models = Path(outputs), Path(models)

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the verdict of a run without a test split, which is never tested."""
        record = self.run.record()
        if record.data is not None and "test" not in record.data.splits:
            reason = no_test_split(record) if record.refit else "the data has no test split to judge on"
            self.run.note_promotion(Promotion(candidate=False, reason=reason))

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge the run, record the verdict, and promote the run if the policy says so."""
        try:
            self.judge()
        except Exception as problem:  # housekeeping never fails a training
            reason = sentence_of(problem) or type(problem).__name__
            log.warning("The run was not judged: %s. Judge it later with: mhc promote ID --dry-run", reason)

    def judge(self) -> None:
        """Record the verdict of every gate."""
        inputs = measure(
            self.run.folder,
            as_completed(self.run.record()),
            outputs=self.outputs,
            models=self.models,
            policy=self.policy,
        )
        data = inputs.record.data
        if data is not None and not data.high_risk:
            log.warning("In the data %s", unmarked_high_risk(data.labels))
        promotion = gates.flag(inputs, self.policy, name_of(self.policy))
        self.run.note_promotion(promotion)
        if promotion.candidate and not self.policy.require_manual_approval:
            self.promote()

    def promote(self) -> None:
        """Promote with the policy as the actor."""
        from mhc.production.decision import Request
        from mhc.production.promote import promote

        name = name_of(self.policy)
        promote(
            Request(
                run=self.run.folder, by=f"policy {name}", reason="passed every gate; no manual approval is asked for"
            ),
            outputs=self.outputs,
            models=self.models,
            policy=self.policy,
            record=as_completed(self.run.record()),
        )


def as_completed(record: RunRecord) -> RunRecord:
    """Return the record as completed: after the test, that is the only change that is left."""
    return replace(record, status=Status.COMPLETED)
