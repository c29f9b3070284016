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
    """Callback that ends the training when the turn is over, and writes its rate to a file."""

    def __init__(self, seconds: float, path: str) -> None:
        self.clock = Clock(seconds)
        self.path = Path(path)
        self.before = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Count the tokens that the meter counted in this step."""
        tokens = classifier.of(pl_module).meter.tokens
        trainer.should_stop = self.clock.step(tokens - self.before)
        self.before = tokens

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the rate."""
        self.path.write_text(json.dumps(self.clock.rate), encoding="utf-8")


def turn(setting: Setting, seed: int, seconds: float) -> float:
    """Train until the turn is over and return real tokens per second."""
    path = setting.work / "rate.json"
    overrides = [
        "+callbacks.clock._target_=scripts.bench.mhc_run.StepClock",
        f"+callbacks.clock.seconds={seconds}",
        f"+callbacks.clock.path={path}",
        "+trainer.enable_progress_bar=true",
        "callbacks.checkpoint=null",
        "callbacks.early_stopping=null",
        "+trainer.enable_checkpointing=false",
        "trainer.limit_val_batches=0",  # the others do not validate either
    ]
    with contextlib.redirect_stderr(io.StringIO()):  # its closing page
        begin(setting, seed, overrides)
    return float(json.loads(path.read_text(encoding="utf-8")))


def begin(setting: Setting, seed: int, overrides: list[str]) -> float | None:
    """Run the part of Hydra and `mhc.train` that follows command-line parsing; return macro-F1 on validation."""
    cfg = setting.config(seed, overrides)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = OmegaConf.select(cfg, "hydra.run.dir")
    HydraConfig.instance().set_config(cfg)
    folder = Path(cfg.hydra.runtime.output_dir) / ".hydra"
    with open_dict(cfg):
        del cfg["hydra"]
    folder.mkdir()
    OmegaConf.save(cfg, folder / "config.yaml")
    return job.begin(cfg)
