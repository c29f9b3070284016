"""One training from its config to its verdict. Heavy libraries are imported when a job starts, not before."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from mhc import distributed, policy
from mhc.errors import BadConfig, MhcError
from mhc.hardware import reuse_memory
from mhc.index import Runs
from mhc.index.summary import sentences
from mhc.record import Category, Sweep
from mhc.report.result import result
from mhc.runs import lineage
from mhc.runs.checkpoints import last_checkpoint
from mhc.runs.live import LiveRun
from mhc.runs.signals import recorded
from mhc.training import config, exit_codes

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from mhc.data.datamodule import TextDataModule
    from mhc.model.classifier import TextClassifier

log = logging.getLogger("mhc")

config.register()  # a worker process of a parallel sweep unpickles `run_job` and comes in here


def run_job(cfg: DictConfig) -> float | None:
    """Train the run of one job of Hydra; a job of a sweep that fails leaves the others to go on."""
    try:
        return begin(cfg)
    except Exception as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        sys.exit(exit_codes.code_of_error(error))  # Hydra would print its own lines about it


def begin(cfg: DictConfig) -> float | None:
    """Register one run in the folder that Hydra claimed, train it, and return its macro-F1 on validation."""
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    cfg.paths.run = str(folder)
    overrides = list(hydra_cfg.overrides.task)
    sweep = None
    if hydra_cfg.mode == RunMode.MULTIRUN:
        sweep = Sweep(id=folder.parent.name, job=int(hydra_cfg.job.num), overrides=overrides)
    if distributed.rank() > 0:
        return train(cfg, None)
    if (folder / "run.json").exists():  # a SLURM job that was queued again came back to its run
        return train(cfg, LiveRun.resume(folder), last_checkpoint(folder))
    return train(cfg, register(cfg, folder, overrides, sweep))


def register(cfg: DictConfig, folder: Path, overrides: list[str], sweep: Sweep | None) -> LiveRun:
    """Put the run on record before anything heavy is imported, so that nothing can fail unseen."""
    group = lineage.config_hash(config.science(cfg))
    return LiveRun.register(
        folder,
        name=cfg.name,
        description=cfg.description,
        tags=[str(tag) for tag in cfg.tags] if OmegaConf.is_list(cfg.tags) else [],
        note=cfg.note,
        seed=cfg.seed,
        category_said=Category(cfg.category) if cfg.category in list(Category) else None,
        sweep=sweep,
        group=group,
        lineage=lineage.gather(folder, overrides=overrides, config_hash=group),
        liveness=liveness(cfg),
        now=datetime.now(UTC),
    )


def liveness(cfg: DictConfig) -> policy.LivenessPolicy:
    """Return how often the run gives a sign of life; a policy that does not fit is refused once it is on record."""
    try:
        return policy.from_values(plain(cfg.policy), "policy").liveness
    except BadConfig:
        return policy.load().liveness


def check(cfg: DictConfig) -> None:
    """Refuse what the types of the schema cannot: on record, so that the run says why it ended.

    Raises:
        BadConfig: a value that does not fit.
    """
    if cfg.category is not None and cfg.category not in list(Category):
        raise BadConfig(f"category={cfg.category} is none of {', '.join(Category)}. Leave it out: the policy decides")
    if not OmegaConf.is_list(cfg.tags):
        raise BadConfig(f"tags={cfg.tags} is no list. Write tags=[{cfg.tags}]")
    if cfg.seed < 0:
        raise BadConfig(f"seed={cfg.seed} is negative. Give a whole number from 0 on")
    policy.from_values(plain(cfg.policy), "policy")


def tell_state(cfg: DictConfig, run: LiveRun) -> None:
    """Log the state of all runs; a training is not stopped by what cannot be read of others."""
    try:
        for sentence in sentences(Runs(cfg.paths.outputs, cfg.paths.models).summary()):
            log.info(sentence)
    except (MhcError, OSError) as problem:
        run.event("summary failed", str(problem))


def plain(node: DictConfig) -> dict[str, object]:
    """Return a config node as plain Python values, interpolations worked out."""
    return cast(dict[str, object], OmegaConf.to_container(node, resolve=True))


def train(cfg: DictConfig, run: LiveRun | None, checkpoint: Path | None = None) -> float | None:
    """Train, and see to it that the record tells how it ended; `run` is None on the ranks that only help."""
    if run is None:
        return fit_and_judge(cfg, checkpoint)
    with recorded(run):
        check(cfg)
        if cfg.summary:
            tell_state(cfg, run)
        score = fit_and_judge(cfg, checkpoint)
    Console(stderr=True).print(result(run.record(), run.folder, gates=cfg.check_promotion))
    return score


def fit_and_judge(cfg: DictConfig, checkpoint: Path | None) -> float | None:
    """Load the data, build the model, fit, and score the best checkpoint on validation and test."""
    from pytorch_lightning import seed_everything

    from mhc.model.log_filters import quieten

    quieten()
    if cfg.get("reuse_memory", True):  # a run recorded by an older version has no such key
        reuse_memory()
    seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = build(cfg.data)
    datamodule.prepare()
    model = build_model(cfg, datamodule)
    if distributed.rank() == 0:
        keep_shape(Path(cfg.paths.run), datamodule, model)
    trainer = build(cfg.trainer, callbacks=all_of(cfg.callbacks), logger=all_of(cfg.logger))
    with distributed.launching(Path(cfg.paths.run)):
        trainer.fit(model, datamodule, ckpt_path=checkpoint)
        if cfg.test and not trainer.fast_dev_run:
            judge(trainer, model, datamodule)
    score = trainer.checkpoint_callback.best_model_score if trainer.checkpoint_callback else None
    return None if score is None else float(score)


def keep_shape(folder: Path, datamodule: TextDataModule, model: TextClassifier) -> None:
    """Keep beside the checkpoints what they cannot be read without, wherever a pretrained encoder came from."""
    from transformers import PreTrainedModel

    datamodule.tokenizer.save_pretrained(folder / "tokenizer")
    network = model.network
    if isinstance(network, PreTrainedModel) and type(network).__module__.startswith("transformers."):
        network.config.save_pretrained(folder / "network")


def judge(trainer: pl.Trainer, model: TextClassifier, datamodule: TextDataModule) -> None:
    """Score the best checkpoint, or the last weights where none was kept, on validation and test."""
    kept = trainer.checkpoint_callback
    best = getattr(kept, "best_model_path", "") or None
    trainer.validate(model, datamodule, ckpt_path=best, verbose=False)
    if "test" in datamodule.facts().splits:
        trainer.test(model, datamodule, ckpt_path=best, verbose=False)


def build_model(cfg: DictConfig, datamodule: TextDataModule) -> TextClassifier:
    """Build the classifier for the labels and the vocabulary that the data turned out to have."""
    from mhc.model.build import classifier

    return classifier(
        build(cfg.model),
        labels=datamodule.labels,
        class_counts=datamodule.class_counts,
        vocab_size=datamodule.vocab_size,
        pad_id=datamodule.pad_id,
        seed=cfg.seed,
    )


def build(node: DictConfig, **collaborators: object) -> Any:  # what it is stands in the config
    """Build what a config node describes; the sentence of a value that does not fit comes through unwrapped."""
    try:
        return instantiate(node, _convert_="all", **collaborators)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, MhcError):
            raise cause from None
        if type(cause).__name__ == "MisconfigurationException":
            said = str(cause).rstrip("!. ")
            raise BadConfig(f"The trainer cannot be built: {said}. trainer=auto takes what the machine has") from None
        if isinstance(cause, ImportError) and str(node.get("_target_")).startswith("pytorch_lightning.loggers."):
            extra = str(node["_target_"]).rpartition(".")[2].removesuffix("Logger").lower()
            raise BadConfig(f'logger={extra} needs an extra. Install it with: pip install "mhc[{extra}]"') from None
        raise


def all_of(group: DictConfig) -> list[Any]:
    """Build every member of a config group, in its order; a member set to null is left out."""
    return [build(node) for node in group.values() if node is not None]
