"""Show the progress of a training: a line per epoch, and on a terminal a bar for the current epoch."""

from __future__ import annotations

import logging
import sys
import time
from typing import TextIO

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar

from mhc.model import classifier
from mhc.report import progress_line

log = logging.getLogger("mhc.progress")

SCORE = "val/f1_macro"
"""The metric that the line shows, and that the best checkpoint is chosen by."""
REDRAW_INTERVAL = 0.2
"""Seconds. The training loop itself draws the bar: another thread would take the interpreter from it."""


class Eraser(logging.Filter):
    """A filter that passes every record but erases the bar first, so that no line is written into it."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, after erasing the bar."""
        self.progress.erase()
        return True


class Progress(ProgressBar):
    """Epoch, loss, macro-F1 on validation, tokens per second, remaining time.

    Lines are logged, so the run's log has them too. The bar is drawn on a terminal only.

    Args:
        stream: the bar is drawn on it if it is a terminal; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.stream = stream or sys.stderr
        self.enabled = self.stream.isatty()
        self._eraser = Eraser(self)
        self._shown = False
        self._best = float("-inf")
        self._scored = 0

    def disable(self) -> None:
        """Stop drawing; Lightning calls this on other ranks and in the learning rate finder."""
        self.enabled = False

    def enable(self) -> None:
        """Draw again if the stream is a terminal."""
        self.enabled = self.stream.isatty()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clocks."""
        self._started = self._epoch_started = self._drawn = time.monotonic()
        self._first_step, self._best = trainer.global_step, best_score(trainer)
        for handler in logging.getLogger().handlers if self.enabled else ():
            handler.addFilter(self._eraser)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Store the number of tokens and seconds at the start of the epoch."""
        meter = classifier.of(pl_module).meter
        self._tokens, self._seconds = meter.tokens, meter.elapsed

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Draw the bar, a few times per second."""
        now = time.monotonic()
        if not self.enabled or now - self._drawn < REDRAW_INTERVAL:
            return
        self._drawn = now
        facts = [self._left(trainer)]
        self._draw(progress_line.batch_line(epoch(trainer), batch_idx + 1, int(self.total_train_batches), facts))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show that validation is running, during which the bar does not move."""
        if self.enabled and trainer.training:
            self._draw(f"epoch {epoch(trainer)}  validation")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Store the epoch that the score is of."""
        self._scored = trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the line of the epoch."""
        if not trainer.is_global_zero:
            return
        model = classifier.of(pl_module)
        meter = model.meter
        rate = (meter.tokens - self._tokens) * trainer.world_size / max(meter.elapsed - self._seconds, 1e-9)
        facts = [
            f"loss {model.epoch_loss:.3f}",
            *self._validation(trainer),
            f"{progress_line.rate(rate)} {meter.unit}/s",
        ]
        last = trainer.global_step >= trainer.estimated_stepping_batches
        log.info(progress_line.epoch_line(epoch(trainer), facts if last else [*facts, self._left(trainer)]))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Erase the bar."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Erase the bar."""
        self._close()

    def erase(self) -> None:
        """Erase the bar if it is drawn."""
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def _draw(self, text: str) -> None:
        self._write(f"\r\x1b[K{text}")
        self._shown = True

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:  # its terminal was closed, which does not end a training that ignores SIGHUP
            self.enabled = False

    def _close(self) -> None:
        self.erase()
        for handler in logging.getLogger().handlers:
            handler.removeFilter(self._eraser)

    def _validation(self, trainer: pl.Trainer) -> list[str]:
        score = trainer.callback_metrics.get(SCORE)
        if score is None:
            return []
        best, self._best = float(score) > self._best, max(self._best, float(score))
        earlier = f" (epoch {self._scored + 1})" if self._scored < trainer.current_epoch else ""
        return [f"val macro-F1 {float(score):.3f}{' (best)' if best else earlier}"]

    def _left(self, trainer: pl.Trainer) -> str:
        """Return the time to the last epoch; early stopping may end the training before."""
        done = trainer.global_step - self._first_step
        steps = float(trainer.estimated_stepping_batches) - trainer.global_step
        return f"{progress_line.format_seconds((time.monotonic() - self._started) / max(1, done) * steps)} left"


def best_score(trainer: pl.Trainer) -> float:
    """Return the best macro-F1 on validation before a resumed training goes on; minus infinity in a new one."""
    checkpoint = trainer.checkpoint_callback
    score = getattr(checkpoint, "best_model_score", None)
    known = score is not None and getattr(checkpoint, "monitor", None) == SCORE
    return float(score) if known else float("-inf")  # type: ignore[arg-type]


def epoch(trainer: pl.Trainer) -> str:
    """Return the current epoch as `3/12`, counted from 1."""
    return f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
