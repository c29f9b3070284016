"""Train from a config that is already on record: the other ranks of a training, a resumed run, a resumed sweep."""

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

PLACES = ("paths.outputs", "paths.models", "paths.cache")
"""What may be said beside `resume=`: where things lie, never what is trained."""


def wanted(typed: Sequence[str]) -> Callable[[], object] | None:
    """Return what to do instead of composing a config from `typed`, or None when this is a new training."""
    if distributed.RUN in os.environ and distributed.rank() > 0:
        return partial(help_with, Path(os.environ[distributed.RUN]))
    words = dict(word.split("=", 1) for word in typed if "=" in word and not word.startswith("-"))
    for key, action in (("resume", resume), ("resume_sweep", resume_sweep)):
        if words.get(key, "null") not in ("null", ""):
            others = [word for word in typed if word.partition("=")[0] not in (key, *PLACES)]
            if others:
                raise BadConfig(f"{key}= goes on under the recorded config; it takes no {others[0]!r}. Leave it out")
            return partial(action, words[key], words)
    return None


def help_with(folder: Path) -> None:
    """Train as one of the further ranks of the run in `folder`; nothing is written from here."""
    from mhc.training.job import train

    train(recorded_config(folder, {}), run=None)


def resume(prefix: str, words: dict[str, str]) -> None:
    """Go on from the last checkpoint of a run, under its own id and config."""
    from mhc.training.job import train

    folder = resolve.find(outputs_of(words), prefix)
    cfg = recorded_config(folder, words)
    log_to(folder)
    run = LiveRun.resume(folder)
    train(cfg, run, last_checkpoint(folder))


def resume_sweep(sweep_id: str, words: dict[str, str]) -> None:
    """Run what a sweep did not complete: begun jobs go on, jobs that never began are started."""
    outputs = outputs_of(words)
    left = sweeps.unfinished(outputs, sweep_id, planned_jobs(outputs / sweep_id))
    log_to(None)
    log.info("Sweep %s: %d job(s) did not complete", sweep_id, len(left))
    for job in left:
        log.info("Job %d of sweep %s: %s", job.number, sweep_id, " ".join(job.overrides))
        if job.folder is not None:
            resume(str(job.folder), words)
        else:
            begin(outputs / sweep_id, job.number, job.overrides)


def planned_jobs(sweep: Path) -> list[list[str]]:
    """Return the overrides of all jobs that a `--multirun` was to run, in Hydra's order."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    plan = sweep / "multirun.yaml"
    if not plan.exists():
        return []
    hydra = OmegaConf.load(plan).hydra
    params = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *hydra.overrides.task])
    return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]


def outputs_of(words: dict[str, str]) -> Path:
    """Return the folder of the runs, as said or as the environment has it."""
    return Path(words.get("paths.outputs") or os.environ.get("MHC_OUTPUTS") or "outputs")


def recorded_config(folder: Path, words: dict[str, str]) -> DictConfig:
    """Return the config that Hydra kept in the run's folder, with the places as they are now.

    Raises:
        NotFound: the run ended before Hydra kept it.
    """
    file = folder / ".hydra" / "config.yaml"
    if not file.exists():
        raise NotFound(f"{folder} has no .hydra/config.yaml: the run ended before it was written. Start it anew")
    cfg = OmegaConf.load(file)
    assert isinstance(cfg, DictConfig)
    for place in PLACES:
        if place in words:
            OmegaConf.update(cfg, place, words[place])
    cfg.paths.run = str(folder.absolute())
    return cfg


def begin(sweep: Path, number: int, overrides: list[str]) -> None:
    """Start a job of a sweep that was never begun."""
    from hydra import compose, initialize_config_dir

    from mhc.training.job import register, train

    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    folder = sweep / claim_job(str(sweep), cfg.name, number)
    cfg.paths.run = str(folder.absolute())
    (folder / ".hydra").mkdir()
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    log_to(folder)
    train(cfg, register(cfg, folder, overrides, Sweep(id=sweep.name, job=number, overrides=overrides)))


def log_to(folder: Path | None) -> None:
    """Log to the terminal and, where there is one, to the run's `train.log`, as Hydra does for a new run."""
    option = "job_logging" if folder else "hydra_logging"
    layout = OmegaConf.load(CONF / "hydra" / option / "mhc.yaml")
    if folder:
        OmegaConf.update(layout, "handlers.file.filename", str(folder / "train.log"))
    logging.config.dictConfig(cast(dict[str, object], OmegaConf.to_container(layout, resolve=True)))
