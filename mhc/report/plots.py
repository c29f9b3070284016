"""Figures of the results of a split, drawn by matplotlib without a display. They show no texts of the data."""

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
"""Limits of the size of a confusion matrix, in inches; it grows with the number of classes."""
MAX_NUMBERED = 15
"""Number of classes up to which the cells of a confusion matrix show their counts."""


def confusion_figure(labels: Labels, probabilities: Probabilities, names: Sequence[str]) -> Figure:
    """Return the confusion matrix: rows are true classes, columns predicted ones.

    The colour is the share of the true class, the numbers are counts.
    """
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
    if len(names) <= MAX_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure


def reliability_figure(labels: Labels, probabilities: Probabilities, ece: float | None) -> Figure:
    """Return the reliability diagram: accuracy (y) by confidence (x), over the bins of the calibration error."""
    confidence, accuracy, rows = reliability(labels, probabilities)
    figure = _figure(4.6, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], linestyle="--", color="grey", linewidth=1)
    nonempty = rows > 0
    upper.plot(confidence[nonempty], accuracy[nonempty], marker="o", color="tab:blue")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    upper.set_title("reliability" if ece is None else f"calibration error {ece:.3f}")
    centres = (np.arange(ECE_BINS) + 0.5) / ECE_BINS
    lower.bar(centres, rows, width=0.9 / ECE_BINS, color="tab:grey")
    lower.set(xlabel="probability of the predicted class", ylabel="rows")
    return figure


def reliability(
    labels: Labels, probabilities: Probabilities
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return mean confidence, accuracy and rows, each of shape [ECE_BINS]; the first two are 0 in empty bins."""
    maxima = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((maxima * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    rows = np.bincount(bins, minlength=ECE_BINS)
    divisor = np.maximum(rows, 1)
    confidence = np.bincount(bins, weights=maxima, minlength=ECE_BINS) / divisor
    return confidence, np.bincount(bins, weights=correct, minlength=ECE_BINS) / divisor, rows


def pixels(figure: Figure) -> Pixels:
    """Return the figure as an image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[:, :, :3].copy()


def _figure(width: float, height: float) -> Figure:
    """Return a figure that is not registered with pyplot, which would hold it in memory until the process ends."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=90, layout="constrained")
