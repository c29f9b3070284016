"""Figures of one split's results, drawn by matplotlib without a display. Counts and label names only, never a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mhc.metrics import ECE_BINS, Labels, Probabilities, confusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pixels = npt.NDArray[np.uint8]
"""An image, shape [height, width, 3]."""

SMALLEST, LARGEST = 4.0, 14.0
"""Inches; a confusion matrix grows with its classes between them."""
MOST_NUMBERS = 15
"""Classes up to which the cells of a confusion matrix carry their counts."""


def confusion_figure(labels: Labels, probabilities: Probabilities, names: Sequence[str]) -> Figure:
    """Rows: true classes, columns: predicted ones; colour is the share of the true class, numbers are rows."""
    counts = confusion(labels, probabilities)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(LARGEST, max(SMALLEST, 1.5 + 0.55 * len(names)))
    figure = _figure(side + 0.8, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.046, label="share of the true class")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(names) <= MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure


def reliability_figure(labels: Labels, probabilities: Probabilities, ece: float | None) -> Figure:
    """How often the model is right (y) where it is so sure (x), over the bins of the calibration error."""
    confidence, right, rows = reliability(labels, probabilities)
    figure = _figure(4.6, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], linestyle="--", color="grey", linewidth=1)
    filled = rows > 0
    upper.plot(confidence[filled], right[filled], marker="o", color="tab:blue")
    upper.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    upper.set_title("reliability" if ece is None else f"calibration error {ece:.3f}")
    centres = (np.arange(ECE_BINS) + 0.5) / ECE_BINS
    lower.bar(centres, rows, width=0.9 / ECE_BINS, color="tab:grey")
    lower.set(xlabel="probability of the predicted class", ylabel="rows")
    return figure


def reliability(
    labels: Labels, probabilities: Probabilities
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Mean confidence, share that is right, and rows, each of shape [ECE_BINS]; the first two are 0 in empty bins."""
    sure = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((sure * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    rows = np.bincount(bins, minlength=ECE_BINS)
    at_least_one = np.maximum(rows, 1)
    confidence = np.bincount(bins, weights=sure, minlength=ECE_BINS) / at_least_one
    return confidence, np.bincount(bins, weights=correct, minlength=ECE_BINS) / at_least_one, rows


def pixels(figure: Figure) -> Pixels:
    """The figure as an image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[:, :, :3].copy()


def _figure(width: float, height: float) -> Figure:
    """A figure of its own: pyplot's would be kept in memory until the process ends."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=90, layout="constrained")
