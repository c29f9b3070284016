"""A sweep: the jobs it plans, and its end: the jobs by what was varied, why some failed, and the next commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import OmegaConf

from mhc import files
from mhc.cli.context import Context
from mhc.cli.group_table import show_fold_groups
from mhc.cli.output import echo, title, warn
from mhc.cli.run_table import show_runs
from mhc.errors import MhcError
from mhc.index.index import Index
from mhc.index.labels import labels_of
from mhc.training.config import CLAIMED_SWEEPS
from mhc.training.recorded_config import mask_plan


def planned_jobs(sweep: Path) -> list[list[str]]:
    """Return the overrides of all jobs of a `--multirun`, in Hydra's order."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    plan = sweep / "multirun.yaml"
    try:
        with files.reading(plan, "Restore it, or start the missing jobs by hand"):
            hydra = OmegaConf.create(files.yaml_text(plan)).hydra
            params = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
            overrides = OverridesParser.create().parse_overrides([*params, *hydra.overrides.task])
            return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]
    except FileNotFoundError:
        return []


def runs_on_cluster(sweep: Path) -> bool:
    """Return whether the jobs of a sweep are sent to SLURM, so that this machine may not be one that trains."""
    plan = sweep / "multirun.yaml"
    with files.reading(plan):
        return "submitit" in str(OmegaConf.create(files.yaml_text(plan)).hydra.launcher.get("_target_"))


@contextmanager
def shown_at_end(sweep: Path | None = None) -> Iterator[None]:
    """Print the result of the sweep when the block ends, even by an error: the failed jobs are part of it.

    Without `sweep`, it is the one that the block starts, if it starts one.
    """
    try:
        yield
    finally:
        for folder in [sweep] if sweep else CLAIMED_SWEEPS:
            try:
                mask_plan(folder)
                show(folder)
            except (MhcError, OSError) as problem:  # the sweep is over, and its own error matters more
                warn(f"The result of the sweep cannot be shown: {problem}")


def show(sweep: Path) -> None:
    """Print the jobs of the sweep that have begun, their number, and the next commands; nothing if none has begun.

    Raises:
        BadConfig: if there is no default policy, which decides whether a running job is alive.
    """
    models = os.environ.get("MHC_MODELS")
    context = Context.from_options(sweep.parent, Path(models) if models else None, "default", Path.cwd())
    index = Index(context.outputs, context.models, context.liveness)
    rows = [row for row in index.sweep(sweep.name) if row.sweep == sweep.name]
    if not rows:
        return
    title(f"Sweep {sweep.name}")
    show_runs(rows, labels_of(index, rows))
    show_fold_groups(index, rows, "default")
    planned = len(planned_jobs(sweep))
    completed = sum(row.shown == "completed" for row in rows)
    not_begun = f", {planned - len(rows)} not begun" if planned > len(rows) else ""
    echo()
    best = "" if all(row.fold is not None for row in rows) else ". *: the best macro-F1 on validation"
    echo(f"{completed} of {max(planned, len(rows))} jobs completed{not_begun}{best}")
    echo(f"Compare them with: mhc compare {sweep.name}")
    if completed < max(planned, len(rows)):
        echo(f"Run the others with: python -m mhc.train resume_sweep={sweep.name}")
