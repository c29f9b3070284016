"""One training from its config to its evaluation. Heavy libraries are imported when a job starts, not before."""

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

from mhc import distributed, policy, streams, user_text
from mhc.errors import BadConfig, MhcError
from mhc.facts import Refit
from mhc.hardware import reuse_memory
from mhc.index import Runs
from mhc.index.summary import sentences
from mhc.provenance import lineage
from mhc.record import RECORD_FILE, Category, Sweep
from mhc.runs import folders, own_folder, store
from mhc.runs.checkpoints import last_checkpoint
from mhc.runs.live import LiveRun
from mhc.runs.liveness import with_derived_status
from mhc.runs.outcome import recording
from mhc.runs.process_control import must_be_resumable
from mhc.runs.signals import signals_deferred
from mhc.training import architecture, completed, config, exit_codes, passes, recorded_config, structure
from mhc.training.resume_check import refuse_changed_data
from mhc.training.sweep_process import end_job, end_with_parent

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from mhc.data.datamodule import TextDataModule
    from mhc.model.classifier import TextClassifier

log = logging.getLogger("mhc")

config.register_config()  # here, because a worker process of a parallel sweep unpickles `run_job` and imports only this


def run_job(cfg: DictConfig) -> float | None:
    """Train the run of one Hydra job; a failed job of a sweep does not stop the others."""
    try:
        return begin(cfg)
    except BaseException as error:
        end_job(error)
        if not isinstance(error, Exception) or HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        sys.exit(exit_codes.code_of_error(error))  # Hydra would print lines of its own about it


def begin(cfg: DictConfig) -> float | None:
    """Register one run in the folder that Hydra claimed, train it, and return its macro-F1 on validation."""
    streams.replace(result=False)  # here, too: the worker of a parallel sweep has begun with this
    end_with_parent()
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    cfg.paths.run = str(folder)
    overrides = list(hydra_cfg.overrides.task)
    sweep = None
    if hydra_cfg.mode == RunMode.MULTIRUN:
        recorded_config.mask_plan(folder.parent)
        sweep = Sweep(id=folder.parent.name, job=int(hydra_cfg.job.num), overrides=overrides)
    if distributed.rank() > 0:
        return train(cfg, None)
    if (folder / RECORD_FILE).exists():  # a SLURM job that was queued again resumes its run
        return resume_run(cfg, folder, checked_data(cfg, folder))
    try:
        with signals_deferred():
            run = register_run(cfg, folder, overrides, sweep)
    except Exception:
        folders.discard_claim(folder)
        raise
    return train(cfg, run)


def checked_data(cfg: DictConfig, folder: Path) -> TextDataModule:
    """Return the data of the run in `folder`, which is to be resumed; nothing of the run changes.

    Raises:
        Conflict: if the run is still alive.
        Refused: if it is completed, imported or archived, or its data is not what its record describes.
    """
    record = store.read(folder)
    must_be_resumable(with_derived_status(record, folder, liveness(cfg)), folder)
    datamodule = load_data(cfg)
    refuse_changed_data(record, folder, datamodule)
    return datamodule


def resume_run(cfg: DictConfig, folder: Path, datamodule: TextDataModule) -> float | None:
    """Continue the run in `folder` from its last checkpoint.

    Raises:
        Conflict: if another process resumes it at the same time.
    """
    checkpoint = last_checkpoint(folder)
    with signals_deferred():
        run = LiveRun.resume(folder, liveness(cfg))
    return train(cfg, run, checkpoint, datamodule)


def register_run(
    cfg: DictConfig, folder: Path, overrides: list[str], sweep: Sweep | None, refit: Refit | None = None
) -> LiveRun:
    """Write the record of the run before any heavy import, so that every failure is recorded."""
    recorded_config.write_config(folder, cfg, HydraConfig.get() if HydraConfig.initialized() else None)
    group = lineage.config_hash(config.result_values(cfg))
    return LiveRun.register(
        folder,
        name=lineage.plain(cfg.name),
        description=lineage.plain(cfg.description),
        tags=[lineage.plain(str(tag)) for tag in cfg.tags] if OmegaConf.is_list(cfg.tags) else [],
        note=lineage.plain(cfg.note),
        seed=cfg.seed,
        category_said=Category(cfg.category) if cfg.category in list(Category) else None,
        sweep=sweep,
        refit=refit,
        group=group,
        lineage=lineage.gather(
            folder,
            overrides=overrides,
            config_hash=group,
            code_files=cfg.code_files if OmegaConf.is_list(cfg.code_files) else [],
            not_code=[Path(cfg.paths[name]) for name in ("outputs", "models", "cache")],
        ),
        liveness=liveness(cfg),
        now=datetime.now(UTC),
    )


def train(
    cfg: DictConfig, run: LiveRun | None, checkpoint: Path | None = None, datamodule: TextDataModule | None = None
) -> float | None:
    """Train and record the outcome of the run; `run` is None on further ranks, which record nothing."""
    if run is None:
        return fit_and_evaluate(cfg, checkpoint, datamodule)
    with recording(run):
        check(cfg)
        if cfg.summary:
            log_summary(cfg, run)
        score = fit_and_evaluate(cfg, checkpoint, datamodule)
    if cfg.get("report", True):  # the config of a run recorded by an older version has no such key
        completed.write_report(run)
    completed.show_closing_page(run, gates=cfg.check_promotion)
    return score


def fit_and_evaluate(
    cfg: DictConfig, checkpoint: Path | None, datamodule: TextDataModule | None = None
) -> float | None:
    """Load the data unless it is given, build the model, fit, and score the best checkpoint on validation and test."""
    datamodule = datamodule or load_data(cfg)
    model = build_model(cfg, datamodule)
    if distributed.rank() == 0:
        architecture.save(Path(cfg.paths.run), datamodule, model)
    passes.settle(cfg, datamodule.loader("train", train=True))
    trainer = build_trainer(cfg)
    with distributed.replaying_ranks(Path(cfg.paths.run), recorded_config.credentials(cfg)):
        trainer.fit(model, datamodule, ckpt_path=checkpoint)
        if cfg.test and not getattr(trainer, "fast_dev_run", False):  # Lightning sets it outside of its class
            evaluate_best(trainer, model, datamodule)
    score = getattr(trainer.checkpoint_callback, "best_model_score", None)
    return None if score is None else float(score)


def load_data(cfg: DictConfig) -> TextDataModule:
    """Seed the random numbers, set up the libraries, and prepare the data."""
    from pytorch_lightning import seed_everything

    from mhc.model.log_filters import quieten

    quieten()
    if cfg.get("reuse_memory", True):  # the config of a run recorded by an older version has no such key
        reuse_memory()
    seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule: TextDataModule = build(cfg.data)
    datamodule.prepare()
    return datamodule


def build_trainer(cfg: DictConfig) -> pl.Trainer:
    """Build the Trainer with its callbacks and loggers; its checkpoints stay in the folder of the run."""
    from mhc.report.loggers import guarded
    from mhc.training.checkpoint_file import use_checkpoint_file

    loggers = [guarded(logger) for logger in build_all(cfg.logger)]
    trainer: pl.Trainer = build(cfg.trainer, callbacks=build_all(cfg.callbacks), logger=loggers)
    use_checkpoint_file(trainer, Path(cfg.paths.run))
    own_folder.check(Path(cfg.paths.run))  # the loggers create their files at the start of the fit
    return trainer


def evaluate_best(trainer: pl.Trainer, model: TextClassifier, datamodule: TextDataModule) -> None:
    """Score the best checkpoint on validation and test, or the last weights if there is no checkpoint."""
    best = getattr(trainer.checkpoint_callback, "best_model_path", "") or None
    splits = datamodule.facts().splits
    if "val" in splits:
        trainer.validate(model, datamodule, ckpt_path=best, verbose=False)
    if "test" in splits:
        trainer.test(model, datamodule, ckpt_path=best, verbose=False)


def build_model(cfg: DictConfig, datamodule: TextDataModule) -> TextClassifier:
    """Build the classifier for the labels and the vocabulary of the data."""
    from mhc.model.build import classifier

    parts = build(cfg.model)
    parts["tokenizer"]["max_tokens"] = datamodule.max_tokens
    return classifier(
        parts,
        labels=datamodule.labels,
        class_counts=datamodule.class_counts,
        vocab_size=datamodule.vocab_size,
        pad_id=datamodule.pad_id,
        seed=cfg.seed,
    )


def build_all(group: DictConfig) -> list[Any]:
    """Build every member of a config group, in its order; a member set to null is left out."""
    return [build(node) for node in group.values() if node is not None]


def build(node: DictConfig, **collaborators: object) -> Any:  # its type is in the config
    """Build the object that a config node describes.

    Raises:
        MhcError: of the object's constructor, without Hydra's wrapper.
        BadConfig: if the trainer does not fit the hardware, or a logger needs an extra.
    """
    try:
        return instantiate(node, _convert_="all", **collaborators)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, MhcError):
            raise cause from None
        if type(cause).__name__ == "MisconfigurationException":
            message = str(cause).rstrip("!. ")
            raise BadConfig(f"The trainer cannot be built: {message}. trainer=auto uses the available device") from None
        if isinstance(cause, ImportError) and str(node.get("_target_")).startswith("pytorch_lightning.loggers."):
            extra = str(node["_target_"]).rpartition(".")[2].removesuffix("Logger").lower()
            raise BadConfig(f'logger={extra} needs an extra. Install it with: pip install "mhc[{extra}]"') from None
        raise


def check(cfg: DictConfig) -> None:
    """Check the values that the types of the schema cannot; called after registration, so that a failure is recorded.

    Raises:
        BadConfig: if a value is invalid, or is in the place of a node that builds an object.
        BadInput: if a text has control characters, is too long, or is not UTF-8.
    """
    if cfg.category is not None and cfg.category not in list(Category):
        raise BadConfig(
            f"category={cfg.category} is none of {', '.join(Category)}. Leave it out to let the policy decide"
        )
    for key in ("tags", "code_files"):
        if key in cfg and not OmegaConf.is_list(cfg[key]):  # recorded by an older version: no code_files
            raise BadConfig(f"{key}={cfg[key]} is not a list. Write '{key}=[{cfg[key]}]'")
    if cfg.seed < 0:
        raise BadConfig(f"seed={cfg.seed} is negative. Give a whole number from 0 on")
    user_text.check_run(cfg.name, cfg.description, cfg.note, cfg.tags)
    structure.check(cfg)
    policy.from_values(plain(cfg.policy), "policy")


def liveness(cfg: DictConfig) -> policy.LivenessPolicy:
    """Return the heartbeat interval and timeout; an invalid policy is refused later, by `check`."""
    try:
        return policy.from_values(plain(cfg.policy), "policy").liveness
    except BadConfig:
        return policy.load().liveness


def log_summary(cfg: DictConfig, run: LiveRun) -> None:
    """Log the state of all runs; unreadable runs do not stop the training."""
    try:
        for sentence in sentences(Runs(cfg.paths.outputs, cfg.paths.models).summary()):
            log.info(sentence)
    except (MhcError, OSError) as problem:
        run.event("summary failed", str(problem))


def plain(node: DictConfig) -> dict[str, object]:
    """Return a config node as plain Python values, with interpolations resolved."""
    return cast(dict[str, object], OmegaConf.to_container(node, resolve=True))
