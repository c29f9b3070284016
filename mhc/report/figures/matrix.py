"""The confusion matrix as a figure; a page shows it as a table instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mhc.report.figures.canvas import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NUMBERED = 15
"""Number of classes up to which the cells show their counts."""


def confusion_matrix(palette: Palette, counts: Sequence[Sequence[int]], names: Sequence[str], dpi: int = 150) -> Figure:
    """Return the matrix: the colour is the share of the true class, the numbers are counts."""
    from matplotlib.figure import Figure

    values = np.array(counts)
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    side = min(14.0, max(4.0, 1.5 + 0.55 * len(names)))
    figure = Figure(figsize=(side + 0.8, side), dpi=dpi, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.046, label="share of the true class")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", color=palette.text)
    axes.set_yticks(range(len(names)), names, color=palette.text)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(names) <= MAX_NUMBERED:
        for (row, column), count in np.ndenumerate(values):
            colour = "white" if shares[row, column] > 0.55 else palette.text
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure
