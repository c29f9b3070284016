"""Part `quality`: macro-F1 of the fast path compared with the slow one, over seeds."""

from __future__ import annotations

import contextlib
import io
import statistics
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from mhc.runs import store
from scripts.bench import mhc_run
from scripts.bench.setting import Setting

PATHS = {
    "fast": [],
    "slow": ["model.fast=never", "trainer.precision=32-true", "data.batching.bucketing=false"],
}
"""Overrides by path: the defaults of mhc; fp32 by transformers with texts of all lengths in a batch."""


def run(setting: Setting, *, seeds: int, report: Callable[[str], None]) -> dict[str, list[float]]:
    """Train both paths with each seed, in turn, and return the best checkpoints' macro-F1 on validation."""
    scores: dict[str, list[float]] = {name: [] for name in PATHS}
    for seed in range(1, seeds + 1):
        for name, overrides in PATHS.items():
            with contextlib.redirect_stderr(io.StringIO()):
                score = mhc_run.begin(setting, seed, [*overrides, f"name=quality_{name}", "auto_archive=false"])
            assert score is not None
            scores[name].append(score)
            report(f"seed {seed}  {name}  macro-F1 {score:.4f}  {seconds(setting.work, name):.0f} s of training")
    return scores


def seconds(work: Path, name: str) -> float:
    """Return the training seconds of the newest run of the path `name`."""
    newest = max((work / "outputs").glob(f"quality_{name}_*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    timing = store.read(newest.parent).timing
    return (timing.fit_s or 0.0) if timing else 0.0


def plain(scores: dict[str, list[float]]) -> dict[str, object]:
    """Return the values for JSON; `within_spread`: the means differ by at most the larger deviation over seeds."""
    means = {name: statistics.mean(values) for name, values in scores.items()}
    spread = max(statistics.stdev(values) for values in scores.values())
    return {
        "f1_macro": scores,
        "mean": means,
        "spread": spread,
        "difference": means["fast"] - means["slow"],
        "within_spread": abs(means["fast"] - means["slow"]) <= spread,
    }


def table(scores: dict[str, list[float]]) -> Table:
    """Return a table with one row per path."""
    rows = Table(title="macro-F1 on validation")
    for column in ("", "mean", "deviation", "seeds"):
        rows.add_column(column, justify="right" if column else "left")
    for name, values in scores.items():
        rows.add_row(
            name,
            f"{statistics.mean(values):.4f}",
            f"{statistics.stdev(values):.4f}",
            ", ".join(f"{value:.3f}" for value in values),
        )
    return rows
