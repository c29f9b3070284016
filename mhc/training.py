"""One training from its config to its verdict. Heavy libraries are imported when a job starts, not before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from mhc import config, policy, ranks
from mhc.errors import BadConfig
from mhc.runs import lineage
from mhc.runs.live import LiveRun, recorded
from mhc.runs.record import Category, Sweep

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from mhc.data.datamodule import TextDataModule
    from mhc.model.classifier import TextClassifier

log = logging.getLogger("mhc")

config.register()  # a worker process of a parallel sweep unpickles `run_job` and comes in here


def run_job(cfg: DictConfig) -> float | None:
    """Register one run in the folder that Hydra claimed, train it, and return its macro-F1 on validation."""
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    cfg.paths.run = str(folder)
    overrides = list(hydra_cfg.overrides.task)
    sweep = None
    if hydra_cfg.mode == RunMode.MULTIRUN:
        sweep = Sweep(id=folder.parent.name, job=int(hydra_cfg.job.num), overrides=overrides)
    if ranks.rank() > 0:
        return train(cfg, None)
    if requeued(folder):
        return train(cfg, LiveRun.resume(folder), last_checkpoint(folder))
    return train(cfg, register(cfg, folder, overrides, sweep))


def register(cfg: DictConfig, folder: Path, overrides: list[str], sweep: Sweep | None) -> LiveRun:
    """Put the run on record before anything heavy is imported, so that nothing can fail unseen."""
    group = lineage.config_hash(config.science(cfg))
    return LiveRun.register(
        folder,
        name=cfg.name,
        description=cfg.description,
        tags=list(cfg.tags),
        note=cfg.note,
        seed=cfg.seed,
        category_said=category_said(cfg.category),
        sweep=sweep,
        group=group,
        lineage=lineage.gather(folder, overrides=overrides, config_hash=group),
        liveness=policy.from_values(plain(cfg.policy), "policy").liveness,
        now=datetime.now(UTC),
    )


def category_said(value: str | None) -> Category | None:
    """Return what the user said with `category=`."""
    if value is not None and value not in list(Category):
        raise BadConfig(f"category={value} is none of {', '.join(Category)}. Leave it out to let the policy decide")
    return Category(value) if value else None


def plain(node: DictConfig) -> dict[str, object]:
    """Return a config node as plain Python values, interpolations worked out."""
    return cast(dict[str, object], OmegaConf.to_container(node, resolve=True))


def train(cfg: DictConfig, run: LiveRun | None, checkpoint: Path | None = None) -> float | None:
    """Train, and see to it that the record tells how it ended; `run` is None on the ranks that only help."""
    if run is None:
        return fit_and_judge(cfg, checkpoint)
    with recorded(run):
        score = fit_and_judge(cfg, checkpoint)
    return score


def fit_and_judge(cfg: DictConfig, checkpoint: Path | None) -> float | None:
    """Load the data, build the model, fit, and score the best checkpoint on validation and test."""
    import pytorch_lightning as pl

    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = instantiate(cfg.data)
    datamodule.prepare()
    model = build_model(cfg, datamodule)
    trainer = build_trainer(cfg)
    with ranks.helped_by_children(Path(cfg.paths.run)):
        trainer.fit(model, datamodule, ckpt_path=checkpoint)
        best = best_checkpoint(trainer)
        trainer.validate(model, datamodule, ckpt_path=best, verbose=False)
        if cfg.test and "test" in datamodule.facts().splits:
            trainer.test(model, datamodule, ckpt_path=best, verbose=False)
    return float(trainer.validate_score)
