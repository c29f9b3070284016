"""The contender mhc: `python -m mhc.train` as a user starts it, config, record and callbacks included."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict
from pytorch_lightning import Callback

from mhc.model import classifier
from mhc.training import job
from scripts.bench.clock import Clock
from scripts.bench.setting import Setting


class StepClock(Callback):
    """Ends the training when the turn is over, and leaves its rate in a file."""

    def __init__(self, seconds: float, path: str) -> None:
        self.clock = Clock(seconds)
        self.path = Path(path)
        self.before = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Counts what the meter counted."""
        tokens = classifier.of(pl_module).meter.tokens
        over = self.clock.step(tokens - self.before)
        self.before = tokens
        trainer.should_stop = over

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leaves the rate."""
        self.path.write_text(json.dumps(self.clock.rate), encoding="utf-8")


def turn(setting: Setting, seed: int, seconds: float) -> float:
    """Train for a while; returns real tokens per second."""
    path = setting.work / "rate.json"
    further = [
        "+callbacks.clock._target_=scripts.bench.mhc_run.StepClock",
        f"+callbacks.clock.seconds={seconds}",
        f"+callbacks.clock.path={path}",
        "+trainer.enable_progress_bar=true",
        "callbacks.checkpoint=null",
        "callbacks.early_stopping=null",
        "+trainer.enable_checkpointing=false",
        "trainer.limit_val_batches=0",  # the others only train as well
    ]
    with contextlib.redirect_stderr(io.StringIO()):  # its closing page
        begin(setting, seed, further)
    return float(json.loads(path.read_text(encoding="utf-8")))


def begin(setting: Setting, seed: int, further: list[str]) -> float | None:
    """Do what Hydra and `mhc.train` do once the command line is read; returns macro-F1 on validation."""
    cfg = setting.config(seed, further)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = OmegaConf.select(cfg, "hydra.run.dir")
    HydraConfig.instance().set_config(cfg)
    folder = Path(cfg.hydra.runtime.output_dir) / ".hydra"
    with open_dict(cfg):
        del cfg["hydra"]
    folder.mkdir()
    OmegaConf.save(cfg, folder / "config.yaml")
    return job.begin(cfg)
