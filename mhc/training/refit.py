"""The request for a training on all rows after a cross-validation: `refit=true`, or `refit=<sweep id>` later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mhc.config_file import plain_values
from mhc.errors import BadConfig
from mhc.runs import sweeps
from mhc.training.resume import PATHS
from mhc.training.sweep import runs_on_cluster

log = logging.getLogger("mhc")

SWITCH = ("", "null", "none", "true", "false")
"""Values of `refit=` that name no sweep."""
Values = dict[str, str]


def requested_action(arguments: Sequence[str]) -> Callable[[], object] | None:
    """Return the training on all rows if the command line names a sweep, else None.

    Raises:
        BadConfig: if other values of a config are given as well.
    """
    values = dict(word.split("=", 1) for word in arguments if "=" in word and not word.startswith("-"))
    sweep = values.get("refit", "")
    if sweep.lower() in SWITCH:
        return None
    others = [word for word in arguments if word.partition("=")[0] not in ("refit", "seed", *PATHS)]
    if others:
        raise BadConfig(f"refit={sweep} uses the config of the folds and cannot be combined with {others[0]!r}")
    return partial(_train, sweep, values)


def after_sweep(sweep: Path) -> None:
    """Train on all rows if the config of the sweep has `refit=true`; of a sweep on a cluster, log the command.

    Raises:
        BadInput: if the folds have no common score.
    """
    runs = sweeps.members(sweep.parent, sweep.name) if sweep.is_dir() else []
    if not runs or not is_asked_for(runs[0][0]):
        return
    if runs_on_cluster(sweep):
        log.info("Train on all rows with: python -m mhc.train refit=%s", sweep.name)
        return
    _train(sweep.name, {"paths.outputs": str(sweep.parent)})


def is_asked_for(folder: Path) -> bool:
    """Return whether the recorded config of a run has `refit=true`; no masked value of it is needed for that."""
    try:
        config = plain_values((folder / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    except Exception:  # of any kind if it is not YAML; the sweep has ended, and its end must not fail
        return False
    return isinstance(config, dict) and str(config.get("refit")).lower() == "true"


def _train(sweep: str, values: Values) -> None:
    from mhc.training.all_rows import train_on_all_rows  # here: it needs scipy, which no other training should wait for

    train_on_all_rows(sweep, values)
