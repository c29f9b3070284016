"""Train from a recorded config: a further rank of a training, a resumed run, a resumed sweep."""

from __future__ import annotations

import logging
import logging.config
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from mhc import distributed, files
from mhc.errors import BadConfig, NotFound, Unreadable
from mhc.policy import CONF
from mhc.record import Sweep
from mhc.runs import resolve, sweeps
from mhc.runs.signals import signals_deferred
from mhc.terminal import quantity
from mhc.training.config import claim_job
from mhc.training.recorded_config import may_be_masked, restore_masked, restore_overrides, write_config
from mhc.training.sweep import planned_jobs, shown_at_end

log = logging.getLogger("mhc")

DATA_PLACES = ("data.train", "data.val", "data.test", "data.path")
"""Where the files of the data are; their content is compared with the record before anything changes."""
PATHS = ("paths.outputs", "paths.models", "paths.cache", *DATA_PLACES)
"""The keys that may be given together with `resume=`: locations, never what is trained."""
CONFIG_FILE = Path(".hydra", "config.yaml")
"""The config of a run, in its folder."""


def requested_action(arguments: Sequence[str]) -> Callable[[], object] | None:
    """Return the action that replaces a training from a new config, or None if the command line asks for a new one.

    Raises:
        BadConfig: if `resume=` or `resume_sweep=` is given together with values of a new config.
    """
    if distributed.RUN in os.environ and distributed.rank() > 0:
        return partial(train_further_rank, Path(os.environ[distributed.RUN]))
    values = dict(word.split("=", 1) for word in arguments if "=" in word and not word.startswith("-"))
    for key, action in (("resume", resume), ("resume_sweep", resume_sweep)):
        if key in values:
            if values[key] in ("", "null", "None"):
                raise BadConfig(
                    f"{key}={values[key]} names no run: the value is empty. Give an id: {key}=<id>, or leave it out"
                )
            others = [
                word for word in arguments if word.partition("=")[0] not in (key, *PATHS) and not may_be_masked(word)
            ]
            if others:
                raise BadConfig(f"{key}= uses the recorded config and cannot be combined with {others[0]!r}")
            return partial(action, values[key], values)
    return None


def train_further_rank(folder: Path) -> None:
    """Train as a further rank of the run in `folder`; this process writes nothing."""
    from mhc.training.job import train
    from mhc.training.sweep_process import end_with_parent

    end_with_parent()
    train(recorded_config(folder, {}), run=None)


def resume(prefix: str, values: dict[str, str]) -> None:
    """Continue a run from its last checkpoint, under its own id and config."""
    from mhc.training.job import checked_data, resume_run

    folder = resolve.find(outputs_of(values), prefix)
    cfg = recorded_config(folder, values)
    log_to(folder)
    datamodule = checked_data(cfg, folder)
    if any(key in values for key in DATA_PLACES):  # the content is the recorded one: only its place is new
        write_config(folder, cfg)
    resume_run(cfg, folder, datamodule)


def resume_sweep(sweep_id: str, values: dict[str, str]) -> None:
    """Run the jobs that a sweep did not complete: begun jobs are resumed, the others are started."""
    outputs = outputs_of(values)
    jobs = sweeps.unfinished(outputs, sweep_id, planned_jobs(outputs / sweep_id))
    log_to(None)
    log.info("Sweep %s: %s did not complete", sweep_id, quantity(len(jobs), "job"))
    with shown_at_end(outputs / sweep_id):
        for job in jobs:
            log.info("Job %d of sweep %s: %s", job.number, sweep_id, " ".join(job.overrides))
            if job.folder is not None:
                resume(str(job.folder), values)
            else:
                overrides = restore_overrides(job.overrides, values, sweep_id)
                start_job(outputs / sweep_id, job.number, overrides)


def outputs_of(values: dict[str, str]) -> Path:
    """Return the folder of the runs: from the command line, else from the environment, else `outputs`."""
    return Path(values.get("paths.outputs") or os.environ.get("MHC_OUTPUTS") or "outputs")


def recorded_config(folder: Path, values: dict[str, str]) -> DictConfig:
    """Return the recorded config of a run, with the paths and the masked values of the command line.

    Raises:
        BadConfig: if a value is masked, and not on the command line.
        NotFound: if the run ended before Hydra wrote it.
        Unreadable: if it is damaged.
    """
    file = folder / CONFIG_FILE
    try:
        with files.reading(file, "Restore it, or start a new run"):
            cfg = OmegaConf.create(files.yaml_text(file))
    except FileNotFoundError:
        message = f"{folder} has no .hydra/config.yaml: the run ended before it was written. Start a new run"
        raise NotFound(message) from None
    if not isinstance(cfg, DictConfig) or "paths" not in cfg:
        raise Unreadable(f"{file} is not the config of a run. Restore it, or start a new run")
    for key in PATHS:
        if key in values:
            if (
                OmegaConf.select(cfg, key.rpartition(".")[0]) is None
                or key.rpartition(".")[2] not in cfg[key.partition(".")[0]]
            ):
                raise BadConfig(f"The data of {folder.name} has no key {key!r}. Leave it out")
            OmegaConf.update(cfg, key, values[key])
    cfg.paths.run = str(folder.absolute())
    restore_masked(cfg, {key: value for key, value in values.items() if key not in PATHS}, folder.name)
    return cfg


def start_job(sweep: Path, number: int, overrides: list[str]) -> None:
    """Start a job of a sweep that has no run yet."""
    from hydra import compose, initialize_config_dir

    from mhc.training.job import register_run, train

    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    folder = sweep / claim_job(str(sweep), cfg.name, number)
    cfg.paths.run = str(folder.absolute())
    log_to(folder)
    with signals_deferred():
        run = register_run(cfg, folder, overrides, Sweep(id=sweep.name, job=number, overrides=overrides))
    train(cfg, run)


def log_to(folder: Path | None) -> None:
    """Log to the terminal and, if a folder is given, to its `train.log`, as Hydra does for a new run."""
    option = "job_logging" if folder else "hydra_logging"
    layout = OmegaConf.load(CONF / "hydra" / option / "mhc.yaml")
    if folder:
        OmegaConf.update(layout, "handlers.file.filename", str(folder / "train.log"))
    logging.config.dictConfig(cast(dict[str, object], OmegaConf.to_container(layout, resolve=True)))
