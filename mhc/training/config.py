"""The configuration: its schema, the resolvers behind its `${...}`, and the values that determine a result."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from mhc import distributed
from mhc.runs import folders, sweeps
from mhc.training.config_types import schema

CLAIMED_SWEEPS: list[Path] = []
"""The folders of the sweeps that this process has started: Hydra hands them to no one when a job has failed."""


def result_values(cfg: DictConfig) -> dict[str, Any]:
    """Return the values that determine the result, except seed and fold: data, model and trainer as plain values."""
    values = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(values, dict)
    groups = {key: values[key] for key in ("data", "model", "trainer")}
    groups["model"] = {key: value for key, value in groups["model"].items() if key != "name"}
    return without_seed_and_paths(groups)


def without_seed_and_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` without the keys `seed`, `cache_dir` and `default_root_dir`, and the number of a fold."""
    ignored = {"seed", "cache_dir", "default_root_dir"}
    return {
        str(key): without_seed_and_paths(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if key not in ignored and not (key == "fold" and isinstance(value, int))
    }


def register_config() -> None:
    """Register the schema with Hydra and the resolvers with OmegaConf; a second call changes nothing."""
    ConfigStore.instance().store(name="train_schema", node=schema())
    for name, resolver in RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, use_cache=True, replace=True)


def claim_run(outputs: str, name: str) -> str:
    """Claim the folder of a single run; other ranks of the same training get the folder of rank 0."""
    parent = Path(outputs)
    return str(distributed.claim_once(parent, lambda: claim_or_reuse(parent, parent, name)))


def claim_sweep(outputs: str, name: str) -> str:
    """Claim the folder of a sweep."""
    sweep = folders.claim_sweep(Path(outputs), name, datetime.now(UTC))
    CLAIMED_SWEEPS.append(sweep)
    return str(sweep)


def claim_job(sweep: str, name: str, number: int) -> str:
    """Claim the folder of one job of a sweep and return its name within the sweep's folder."""
    parent = Path(sweep)
    return distributed.claim_once(parent, lambda: claim_or_reuse(parent, parent.parent, name, number), str(number)).name


def claim_or_reuse(parent: Path, outputs: Path, name: str, number: int | None = None) -> Path:
    """Claim a new folder, or return the run that this SLURM job began before it was preempted and queued again."""
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    interrupted = sweeps.run_of_slurm_job(outputs, os.environ.get("SLURM_JOB_ID", ""), restarts, number)
    return interrupted or folders.claim(parent, name, datetime.now(UTC))


def fold_range(folds: int | None, repeats: int) -> str:
    """Return the folds that a sweep runs over, as its overrides have them."""
    return f"range(0,{(folds or 1) * repeats})"


def best_precision(accelerator: str) -> str:
    """Return the fastest precision of this hardware; torch is imported only if the value is needed."""
    from mhc.hardware import best_precision as best

    return best(accelerator)


RESOLVERS: dict[str, Callable[..., str]] = {
    "claim_run": claim_run,
    "claim_sweep": claim_sweep,
    "claim_job": claim_job,
    "fold_range": fold_range,
    "precision": best_precision,
}
