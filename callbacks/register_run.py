"""Record the facts of a training: model and data, timing, best checkpoint, results."""

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
from mhc.runs.signals import reinstall_handlers, safe_point

LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches")


class RegisterRun(pl.Callback):
    """Records the facts that only the Trainer has; the entry point registers the run and records its outcome.

    Args:
        run: the run of this training.
    """

    def __init__(self, run: LiveRun) -> None:
        self.run = run
        self.started = time.monotonic()
        self.fit_started = self.started
        self.test_started = self.started

    @rank_zero_only
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Record model and data; only for fit, because validate and test call this again, on a fitted run."""
        if stage == "fit":
            data, model = data_facts(trainer), model_facts(pl_module)
            self.run.note_start(smoke=smoke(trainer), data=data, model=model, world_size=trainer.world_size)

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reinstall our signal handlers: the first hook of a fit after Lightning has set its own."""
        reinstall_handlers()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reinstall our signal handlers: the first hook of a validation after Lightning has set its own."""
        reinstall_handlers()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Kill the other ranks, which Lightning leaves waiting for this one; the entry point records the outcome."""
        launcher = trainer.strategy.launcher
        if launcher is not None:
            launcher.kill(signal.SIGKILL)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the fit."""
        reinstall_handlers()
        self.fit_started = time.monotonic()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """End the training here if that was asked for: by a signal, or by moving its folder."""
        safe_point()

    def on_validation_batch_start(self, *args: object) -> None:
        """End a long validation, too."""
        safe_point()

    def on_test_batch_start(self, *args: object) -> None:
        """End a long test, too."""
        safe_point()

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record timing and the best checkpoint: ModelCheckpoint, always the last callback, has written it by now."""
        self.note_choices(pl_module)
        note_fit(self.run, self.timing_of_fit(trainer, pl_module), best_checkpoint(trainer))

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the metrics of the best checkpoint on val; the validations within fit are not final."""
        if not trainer.sanity_checking and trainer.state.fn == "validate":
            note_results(self.run, pl_module, "val")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the test."""
        reinstall_handlers()
        self.test_started = time.monotonic()

    @rank_zero_only
    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the metrics of the best checkpoint on test."""
        self.note_choices(pl_module)
        note_results(self.run, pl_module, "test", Timing(test_s=time.monotonic() - self.test_started))

    def note_choices(self, pl_module: pl.LightningModule) -> None:
        """Record what a fitted model has chosen and computed since the last time."""
        notes: list[tuple[str, str]] = getattr(pl_module, "notes", [])
        for what, why in notes:
            self.run.event(what, why)
        notes.clear()

    def timing_of_fit(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Timing:
        """Return the seconds before and within fit, and the amount of training by all processes together."""
        meter = getattr(pl_module, "meter", None)
        rate = getattr(meter, "tokens_per_s", None)
        total = None if rate is None else rate * trainer.world_size
        in_tokens = getattr(meter, "unit", "tokens") == "tokens"
        return Timing(
            setup_s=self.fit_started - self.started,
            fit_s=time.monotonic() - self.fit_started,
            epochs=trainer.current_epoch,
            steps=trainer.global_step,
            tokens_per_s=total if in_tokens else None,
            ngrams_per_s=None if in_tokens else total,
        )


def smoke(trainer: pl.Trainer) -> Smoke:
    """Return the Trainer options that make the run a smoke test; an integer is a limit, even 1."""
    if getattr(trainer, "fast_dev_run", False):  # it sets the limits itself
        return Smoke(fast_dev_run=True)
    limits = {name: getattr(trainer, name) for name in LIMITS}
    overfit = limits.pop("overfit_batches")
    limited = [f"{name}={value:g}" for name, value in limits.items() if isinstance(value, int) or value < 1.0]
    return Smoke(limited=[f"overfit_batches={overfit:g}"] if overfit else limited)  # overfitting sets the others too


def data_facts(trainer: pl.Trainer) -> DataFacts | None:
    """Return the facts of the data module; None if it is not ours."""
    facts = getattr(getattr(trainer, "datamodule", None), "facts", None)
    return facts() if facts else None


def model_facts(pl_module: pl.LightningModule) -> ModelFacts | None:
    """Return the facts of the module; None if it is not ours."""
    facts = getattr(pl_module, "facts", None)
    return facts() if facts else None


def best_checkpoint(trainer: pl.Trainer) -> ModelCheckpoint | None:
    """Return the callback that wrote the best checkpoint; None if there is none."""
    callback = trainer.checkpoint_callback
    return callback if isinstance(callback, ModelCheckpoint) and callback.best_model_path else None


def note_fit(run: LiveRun, timing: Timing, best: ModelCheckpoint | None) -> None:
    """Record timing and the best checkpoint with its checksum; one that is incomplete on disk becomes an event."""
    path = Path(best.best_model_path) if best else None
    if best is None or path is None or not is_whole(path):
        run.note_timing(timing)
        if path is not None:
            run.event("checkpoint not whole", f"{path.name} cannot be read as a checkpoint, so it is not on record")
        return
    score = None if best.best_model_score is None else float(best.best_model_score)
    run.note_checkpoint(path, monitor=best.monitor, score=score, timing=timing)


def note_results(run: LiveRun, pl_module: pl.LightningModule, split: str, timing: Timing | None = None) -> None:
    """Record the metrics of the module on `split`."""
    result = getattr(pl_module, "results", {}).get(split)
    if result is not None:
        run.note_metrics(split, result.metrics, timing)
