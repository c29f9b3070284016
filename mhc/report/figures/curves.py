"""Learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mhc.report.figures.canvas import MARKERS, STYLES, Palette, axes_of, legend, name_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT_NAME = 14
"""Characters of a name up to which three share a row of the legend."""
MAX_NAME = 56
"""Characters of a name in a legend."""


class Line(NamedTuple):
    """One curve."""

    name: str
    """Empty: drawn in the background, without a name."""
    points: Sequence[tuple[float, float]]


def learning_curves(palette: Palette, lines: Sequence[Line], y: str) -> Figure:
    """Return curves over the steps of the training; those without a name in the background."""
    from matplotlib.collections import LineCollection

    named = [line for line in lines if line.name]
    columns = 1 if max((len(line.name) for line in named), default=0) > SHORT_NAME else 3
    rows = -(-len(named) // columns) if len(named) > 1 else 0
    figure, axes = axes_of(palette, legend_rows=rows)
    background = LineCollection([line.points for line in lines if not line.name], colors=palette.grid, linewidths=0.8)
    axes.add_collection(background)
    for number, line in enumerate(named):
        steps, values = zip(*line.points, strict=True)
        axes.plot(
            steps, values, color=palette.series[number % len(palette.series)], linestyle=STYLES[number % len(STYLES)],
            marker=MARKERS[number % len(MARKERS)], markersize=3, linewidth=1.4, label=shortened(line.name),
        )  # fmt: skip
    axes.autoscale_view()
    name_axes(axes, palette, "step", y)
    if rows:
        legend(figure, palette, columns)
    return figure


def shortened(name: str) -> str:
    """Return a name as a legend shows it; matplotlib leaves out those that begin with an underscore."""
    name = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
    return f" {name}" if name.startswith("_") else name
