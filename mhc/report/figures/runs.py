"""Many runs at once: parallel coordinates of a sweep, and scores against what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhc.report.figures.canvas import MARKERS, WIDE, Margins, Palette, axes_of, legend, name_axes, scale_x

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEGEND_COLUMNS = 4
MIN_GAP = 0.06
"""Between two values that are written at an axis of parallel coordinates, as a share of its height."""


class Axis(NamedTuple):
    """One axis of parallel coordinates."""

    name: str
    places: Sequence[float | None]
    """Of the runs, 0 to 1; None if the run has no value."""
    ticks: Sequence[tuple[float, str]]


def parallel_coordinates(palette: Palette, axes_shown: Sequence[Axis], best: Sequence[bool]) -> Figure:
    """Return one line per run across the axes; the best runs in the accent colour, in front."""
    from matplotlib.collections import LineCollection

    margins = Margins(left=0.35, right=0.1, top=0.3, bottom=0.1)
    figure, axes = axes_of(palette, width=max(4.6, 1.5 * len(axes_shown)), height=3.4, margins=margins)
    lines = np.array(
        [[(x, np.nan if axis.places[run] is None else axis.places[run]) for x, axis in enumerate(axes_shown)]
         for run in range(len(best))], float,
    )  # fmt: skip
    marked = np.array(best, bool)
    axes.add_collection(LineCollection(lines[~marked], colors=palette.muted, linewidths=0.8, alpha=0.45))
    axes.add_collection(LineCollection(lines[marked], colors=palette.accent, linewidths=1.8))
    for x, axis in enumerate(axes_shown):
        axes.axvline(x, color=palette.muted, linewidth=0.8)
        for place, text in axis.ticks:
            axes.annotate(
                text, (x, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8,
                color=palette.text, bbox={"facecolor": palette.paper, "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )  # fmt: skip
    axes.set(xlim=(-0.08, len(axes_shown) - 0.55), ylim=(-0.04, 1.04))
    axes.set_xticks(range(len(axes_shown)), [axis.name for axis in axes_shown])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(axis="x", length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    return figure


def axis_of(name: str, values: Sequence[object], texts: Sequence[str]) -> Axis:
    """Return the axis of a value: numbers to scale, on a log scale if they span a wide range; others by rank."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if numbers and len(numbers) == sum(value is not None for value in values):
        places = _to_scale(values, min(numbers), max(numbers))
    else:
        order = sorted(set(texts))
        places = [order.index(text) / max(1, len(order) - 1) for text in texts]
    ticks = sorted({(place, text) for place, text in zip(places, texts, strict=True) if place is not None})
    return Axis(name, places, _spread_out(ticks))


def _to_scale(values: Sequence[object], low: float, high: float) -> list[float | None]:
    scale = math.log if low > 0 and high / low >= WIDE else float
    start, span = scale(low), (scale(high) - scale(low)) or 1.0
    return [(scale(value) - start) / span if isinstance(value, int | float) else None for value in values]


def _spread_out(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return the ticks without those that would be written over another; the first and the last stay."""
    shown = [ticks[0]]
    for tick in ticks[1:-1]:
        if tick[0] - shown[-1][0] >= MIN_GAP and ticks[-1][0] - tick[0] >= MIN_GAP:
            shown.append(tick)
    return [*shown, ticks[-1]] if len(ticks) > 1 else shown


def scores_by_cost(palette: Palette, groups: dict[str, Sequence[tuple[float, float]]], x: str, y: str) -> Figure:
    """Return one point per run; one colour and marker per model."""
    rows = -(-len(groups) // LEGEND_COLUMNS) if len(groups) > 1 else 0
    figure, axes = axes_of(palette, legend_rows=rows)
    for number, (name, points) in enumerate(groups.items()):
        xs, ys = zip(*points, strict=True)
        axes.scatter(
            xs, ys, s=18, label=name, alpha=0.75, linewidths=0,
            color=palette.series[number % len(palette.series)], marker=MARKERS[number % len(MARKERS)],
        )  # fmt: skip
    values = [value for points in groups.values() for value, _ in points]
    scale_x(axes, values)
    name_axes(axes, palette, x, y)
    if rows:
        legend(figure, palette, LEGEND_COLUMNS)
    return figure
