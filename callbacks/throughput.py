"""Log the number of real tokens per second and the learning rate every few steps of training."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning import Callback

from mhc.errors import BadConfig
from mhc.model import classifier


class Throughput(Callback):
    """Curves `train/tokens_per_s` or `train/ngrams_per_s` (of all processes together), and `train/lr`.

    Args:
        every_n_steps: the same as `trainer.log_every_n_steps`, so that both wait for the accelerator at the same step.
    """

    def __init__(self, every_n_steps: int) -> None:
        if every_n_steps < 1:
            raise BadConfig(f"callbacks.throughput.every_n_steps is {every_n_steps}; it must be 1 or more")
        self.every_n_steps = every_n_steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting, also in a training that was resumed."""
        meter = classifier.of(pl_module).meter
        self._tokens, self._seconds = meter.tokens, meter.elapsed

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Log at the steps at which Lightning logs."""
        if trainer.global_step % self.every_n_steps:
            return
        meter = classifier.of(pl_module).meter
        tokens, seconds = meter.tokens, meter.elapsed
        rate = (tokens - self._tokens) * trainer.world_size / max(seconds - self._seconds, 1e-9)
        self._tokens, self._seconds = tokens, seconds
        pl_module.log(f"train/{meter.unit.replace('-', '')}_per_s", rate, batch_size=1)
        pl_module.log("train/lr", trainer.optimizers[0].param_groups[0]["lr"], batch_size=1)
