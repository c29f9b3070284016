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

from mhc import distributed
from mhc.errors import BadConfig, NotFound
from mhc.policy import CONF
from mhc.record import Sweep
from mhc.runs import resolve, sweeps
from mhc.runs.checkpoints import last_checkpoint
from mhc.runs.live import LiveRun
from mhc.training.config import claim_job

log = logging.getLogger("mhc")

PATHS = ("paths.outputs", "paths.models", "paths.cache")
"""The keys that may be given together with `resume=`: locations, never what is trained."""


def requested_action(arguments: Sequence[str]) -> Callable[[], object] | None:
    """Return the action that replaces a training from a new config, or None if the command line asks for a new one.

    Raises:
        BadConfig: if `resume=` or `resume_sweep=` is given together with values of a new config.
    """
    if distributed.RUN in os.environ and distributed.rank() > 0:
        return partial(train_further_rank, Path(os.environ[distributed.RUN]))
    values = dict(word.split("=", 1) for word in arguments if "=" in word and not word.startswith("-"))
    for key, action in (("resume", resume), ("resume_sweep", resume_sweep)):
        if values.get(key, "null") not in ("null", ""):
            others = [word for word in arguments if word.partition("=")[0] not in (key, *PATHS)]
            if others:
                raise BadConfig(f"{key}= uses the recorded config and cannot be combined with {others[0]!r}")
            return partial(action, values[key], values)
    return None


def train_further_rank(folder: Path) -> None:
    """Train as a further rank of the run in `folder`; this process writes nothing."""
    from mhc.training.job import train

    train(recorded_config(folder, {}), run=None)


def resume(prefix: str, values: dict[str, str]) -> None:
    """Continue a run from its last checkpoint, under its own id and config."""
    from mhc.training.job import train

    folder = resolve.find(outputs_of(values), prefix)
    cfg = recorded_config(folder, values)
    log_to(folder)
    run = LiveRun.resume(folder)
    train(cfg, run, last_checkpoint(folder))


def resume_sweep(sweep_id: str, values: dict[str, str]) -> None:
    """Run the jobs that a sweep did not complete: begun jobs are resumed, the others are started."""
    outputs = outputs_of(values)
    jobs = sweeps.unfinished(outputs, sweep_id, planned_jobs(outputs / sweep_id))
    log_to(None)
    log.info("Sweep %s: %d job(s) did not complete", sweep_id, len(jobs))
    for job in jobs:
        log.info("Job %d of sweep %s: %s", job.number, sweep_id, " ".join(job.overrides))
        if job.folder is not None:
            resume(str(job.folder), values)
        else:
            start_job(outputs / sweep_id, job.number, job.overrides)


def planned_jobs(sweep: Path) -> list[list[str]]:
    """Return the overrides of all jobs of a `--multirun`, in Hydra's order."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    plan = sweep / "multirun.yaml"
    if not plan.exists():
        return []
    hydra = OmegaConf.load(plan).hydra
    params = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *hydra.overrides.task])
    return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]


def outputs_of(values: dict[str, str]) -> Path:
    """Return the folder of the runs: from the command line, else from the environment, else `outputs`."""
    return Path(values.get("paths.outputs") or os.environ.get("MHC_OUTPUTS") or "outputs")


def recorded_config(folder: Path, values: dict[str, str]) -> DictConfig:
    """Return the config that Hydra wrote to the run's folder, with the paths of the command line.

    Raises:
        NotFound: if the run ended before Hydra wrote it.
    """
    file = folder / ".hydra" / "config.yaml"
    if not file.exists():
        raise NotFound(f"{folder} has no .hydra/config.yaml: the run ended before it was written. Start a new run")
    cfg = OmegaConf.load(file)
    assert isinstance(cfg, DictConfig)
    for key in PATHS:
        if key in values:
            OmegaConf.update(cfg, key, values[key])
    cfg.paths.run = str(folder.absolute())
    return cfg


def start_job(sweep: Path, number: int, overrides: list[str]) -> None:
    """Start a job of a sweep that has no run yet."""
    from hydra import compose, initialize_config_dir

    from mhc.training.job import register_run, train

    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    folder = sweep / claim_job(str(sweep), cfg.name, number)
    cfg.paths.run = str(folder.absolute())
    (folder / ".hydra").mkdir()
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    log_to(folder)
    train(cfg, register_run(cfg, folder, overrides, Sweep(id=sweep.name, job=number, overrides=overrides)))


def log_to(folder: Path | None) -> None:
    """Log to the terminal and, if a folder is given, to its `train.log`, as Hydra does for a new run."""
    option = "job_logging" if folder else "hydra_logging"
    layout = OmegaConf.load(CONF / "hydra" / option / "mhc.yaml")
    if folder:
        OmegaConf.update(layout, "handlers.file.filename", str(folder / "train.log"))
    logging.config.dictConfig(cast(dict[str, object], OmegaConf.to_container(layout, resolve=True)))
