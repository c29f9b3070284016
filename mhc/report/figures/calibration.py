"""Reliability before and after calibration, and precision and recall by threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mhc.report.figures.canvas import MARKERS, STYLES, Margins, Palette, axes_of, legend, name_axes
from mhc.terminal import cut

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mhc.report.results import Reliability, Threshold
    from mhc.statistics.estimates import Interval

MAX_NAME = 24
"""Characters of the name of a class beside an axis."""


def reliability(palette: Palette, curves: dict[str, Reliability]) -> Figure:
    """Return accuracy by confidence: one line per name, with markers that grow with the rows; and the diagonal."""
    figure, axes = axes_of(palette, height=2.9, legend_rows=1)
    axes.plot([0, 1], [0, 1], color=palette.muted, linestyle=":", linewidth=1, label="calibrated")
    for number, (name, curve) in enumerate(curves.items()):
        rows = curve.rows > 0
        x, y, colour = curve.confidence[rows], curve.accuracy[rows], palette.series[number]
        axes.plot(x, y, color=colour, linestyle=STYLES[number], linewidth=1, label=name, marker=MARKERS[number], ms=2)
        sizes = 120 * curve.rows[rows] / curve.rows.max()
        axes.scatter(x, y, s=sizes, color=colour, marker=MARKERS[number], alpha=0.6, linewidths=0, clip_on=False)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    name_axes(axes, palette, "probability of the predicted class", "accuracy")
    legend(figure, palette, 3)
    return figure


def threshold_curves(palette: Palette, curve: Threshold) -> Figure:
    """Return precision and recall of a class by the threshold of its probability."""
    figure, axes = axes_of(palette, height=2.9, legend_rows=1)
    for number, (name, values) in enumerate({"recall": curve.recall, "precision": curve.precision}.items()):
        axes.plot(
            curve.thresholds, values, color=palette.series[number], linestyle=STYLES[number], linewidth=1.6, label=name
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    name_axes(axes, palette, f"threshold on the probability of {cut(curve.label, MAX_NAME)}", "recall, precision")
    legend(figure, palette, 2)
    return figure


def recalls(palette: Palette, names: Sequence[str], intervals: Sequence[Interval | None]) -> Figure:
    """Return the recall of each class with its interval, in the given order from the top."""
    left = 0.25 + 0.075 * min(MAX_NAME, max(map(len, names), default=0))
    figure, axes = axes_of(palette, height=0.7 + 0.28 * len(names), margins=Margins(left=left))
    for place, interval in enumerate(intervals):
        if interval is not None:
            axes.plot([interval.low, interval.high], [place, place], color=palette.accent, linewidth=1.6)
            axes.plot([interval.point], [place], color=palette.accent, marker="o", markersize=5)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(np.arange(len(names)), [cut(name, MAX_NAME) for name in names])
    name_axes(axes, palette, "recall", "")
    return figure
