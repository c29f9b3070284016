"""What a training tells its record: what it trains, how long it took, its best checkpoint, its results."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only

from mhc.facts import DataFacts, ModelFacts, Smoke, Timing
from mhc.runs.checkpoints import is_whole
from mhc.runs.live import LiveRun
from mhc.runs.signals import raise_pending_signal, reinstall_handlers

LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches")


class RegisterRun(pl.Callback):
    """Note on the run's record what only the Trainer knows; the entry point registered the run and ends it.

    Args:
        run: the run of this training.
    """

    def __init__(self, run: LiveRun) -> None:
        self.run = run
        self.begun = time.monotonic()
        self.fit_begun = self.begun
        self.test_begun = self.begun

    @rank_zero_only
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note what is trained on what; only for fit: validate and test call this again, on a fitted run."""
        if stage == "fit":
            data, model = data_facts(trainer), model_facts(pl_module)
            self.run.note_start(smoke=smoke(trainer), data=data, model=model, world_size=trainer.world_size)

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The first hook of a fit after Lightning has set its signal handlers."""
        reinstall_handlers()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The first hook of a validation after Lightning has set its signal handlers."""
        reinstall_handlers()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """End the processes that help: Lightning leaves them waiting for this one; the entry point records the end."""
        launcher = trainer.strategy.launcher
        if launcher is not None:
            launcher.kill(signal.SIGKILL)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the fit."""
        reinstall_handlers()
        self.fit_begun = time.monotonic()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """End here, where a library has swallowed a request to end."""
        raise_pending_signal()

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note timing and the best checkpoint: ModelCheckpoint, always the last callback, has written it by now."""
        note_fit(self.run, self.timing_of_fit(trainer, pl_module), best_checkpoint(trainer))

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the metrics of the best checkpoint on val; the validations within fit are not the final word."""
        if not trainer.sanity_checking and trainer.state.fn == "validate":
            note_results(self.run, pl_module, "val")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the test."""
        reinstall_handlers()
        self.test_begun = time.monotonic()

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the metrics of the best checkpoint on test."""
        note_results(self.run, pl_module, "test", Timing(test_s=time.monotonic() - self.test_begun))

    def timing_of_fit(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Timing:
        """Return seconds before and within fit, and how much was done, by all processes together."""
        rate = getattr(getattr(pl_module, "meter", None), "tokens_per_s", None)
        return Timing(
            setup_s=self.fit_begun - self.begun,
            fit_s=time.monotonic() - self.fit_begun,
            epochs=trainer.current_epoch,
            steps=trainer.global_step,
            tokens_per_s=None if rate is None else rate * trainer.world_size,
        )


def smoke(trainer: pl.Trainer) -> Smoke:
    """Return what the Trainer was told that makes the run a smoke test; a whole number limits, even 1."""
    if getattr(trainer, "fast_dev_run", False):  # it sets the limits itself
        return Smoke(fast_dev_run=True)
    said = {name: getattr(trainer, name) for name in LIMITS}
    overfit = said.pop("overfit_batches")
    limited = [f"{name}={value:g}" for name, value in said.items() if isinstance(value, int) or value < 1.0]
    return Smoke(limited=[f"overfit_batches={overfit:g}"] if overfit else limited)  # overfitting sets the others too


def data_facts(trainer: pl.Trainer) -> DataFacts | None:
    """Return what the data module knows of its data; None for one that is not ours."""
    facts = getattr(getattr(trainer, "datamodule", None), "facts", None)
    return facts() if facts else None


def model_facts(pl_module: pl.LightningModule) -> ModelFacts | None:
    """Return what the module knows of its network; None for one that is not ours."""
    facts = getattr(pl_module, "facts", None)
    return facts() if facts else None


def best_checkpoint(trainer: pl.Trainer) -> ModelCheckpoint | None:
    """Return the callback that kept the best checkpoint; None where none did."""
    kept = trainer.checkpoint_callback
    return kept if isinstance(kept, ModelCheckpoint) and kept.best_model_path else None


def note_fit(run: LiveRun, timing: Timing, kept: ModelCheckpoint | None) -> None:
    """Note timing and the best checkpoint with its checksum; one that is not whole on disk is said, not noted."""
    path = Path(kept.best_model_path) if kept else None
    if kept is None or path is None or not is_whole(path):
        run.note_timing(timing)
        if path is not None:
            run.event("checkpoint not whole", f"{path.name} cannot be read as a checkpoint, so it is not on record")
        return
    score = None if kept.best_model_score is None else float(kept.best_model_score)
    run.note_checkpoint(path, monitor=kept.monitor, score=score, timing=timing)


def note_results(run: LiveRun, pl_module: pl.LightningModule, split: str, timing: Timing | None = None) -> None:
    """Note the metrics that the module has measured on `split`."""
    result = getattr(pl_module, "results", {}).get(split)
    if result is not None:
        run.note_metrics(split, result.metrics, timing)
