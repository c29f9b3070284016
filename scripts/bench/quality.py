"""Part `quality`: what the fast path does to macro-F1, over seeds, against the slow one."""

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
"""Overrides by path: as users start it; fp32 by transformers, texts of all lengths in a batch."""


def run(setting: Setting, *, seeds: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Train both paths with each seed, in turn; returns macro-F1 on validation of the best checkpoint."""
    found: dict[str, list[float]] = {name: [] for name in PATHS}
    for seed in range(1, seeds + 1):
        for name, overrides in PATHS.items():
            with contextlib.redirect_stderr(io.StringIO()):
                score = mhc_run.begin(setting, seed, [*overrides, f"name=quality_{name}", "auto_archive=false"])
            assert score is not None
            found[name].append(score)
            tell(f"seed {seed}  {name}  macro-F1 {score:.4f}  {seconds(setting.work, name):.0f} s of training")
    return found


def seconds(work: Path, name: str) -> float:
    """Training seconds of the newest run of that path."""
    newest = max((work / "outputs").glob(f"quality_{name}_*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    timing = store.read(newest.parent).timing
    return (timing.fit_s or 0.0) if timing else 0.0


def plain(found: dict[str, list[float]]) -> dict[str, object]:
    """For JSON; `within_spread`: the means differ by no more than the larger seed-to-seed deviation."""
    means = {name: statistics.mean(scores) for name, scores in found.items()}
    spread = max(statistics.stdev(scores) for scores in found.values())
    return {
        "f1_macro": found,
        "mean": means,
        "spread": spread,
        "difference": means["fast"] - means["slow"],
        "within_spread": abs(means["fast"] - means["slow"]) <= spread,
    }


def table(found: dict[str, list[float]]) -> Table:
    """One row per path."""
    made = Table(title="macro-F1 on validation")
    for column in ("", "mean", "deviation", "seeds"):
        made.add_column(column, justify="right" if column else "left")
    for name, scores in found.items():
        made.add_row(
            name,
            f"{statistics.mean(scores):.4f}",
            f"{statistics.stdev(scores):.4f}",
            ", ".join(f"{score:.3f}" for score in scores),
        )
    return made
