"""Learning curves from the `metrics.csv` of a run."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from pathlib import Path

from mhc import files

EPOCH = "train/loss_epoch"
"""A metric that is logged at the end of each epoch of the training."""
LIMIT = 32_000_000
"""Bytes of the largest file that is read; a training of a day has a few million."""


def read(folder: Path, metrics: Collection[str]) -> dict[str, list[tuple[int, float]]]:
    """Return steps and values of these metrics, in order of the steps, as far as the training went.

    The pass over validation after the training is left out: it repeats the best epoch at a step beyond the last one. A
    file that is missing or cannot be read gives no curves, and a damaged row no point.
    """
    try:
        content = files.read(folder / "metrics.csv", LIMIT).decode(errors="replace")
    except OSError:
        return {}
    curves: dict[str, dict[int, float]] = {}
    metrics = {*metrics, EPOCH}
    for row in csv.reader(content.splitlines()):
        if len(row) == 3 and row[1] in metrics:
            point = _point(row[0], row[2])
            if point:
                curves.setdefault(row[1], {}).setdefault(*point)
    last = max(curves.get(EPOCH, {}), default=math.inf)
    return {name: sorted(point for point in points.items() if point[0] <= last) for name, points in curves.items()}


def _point(step: str, value: str) -> tuple[int, float] | None:
    try:
        point = int(step), float(value)
    except ValueError:
        return None
    return point if math.isfinite(point[1]) else None
