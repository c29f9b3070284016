"""Figures of the results of a split, drawn by matplotlib without a display. They show no texts of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mhc.metrics import ECE_BINS, Labels, Probabilities, confusion
from mhc.report.figures import canvas
from mhc.report.figures.matrix import confusion_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pixels = npt.NDArray[np.uint8]
"""An image, shape [height, width, 3]."""
DPI = 90
"""Of the images in event files."""


def confusion_figure(labels: Labels, probabilities: Probabilities, names: Sequence[str]) -> Figure:
    """Return the confusion matrix: rows are true classes, columns predicted ones.

    The colour is the share of the true class, the numbers are counts.
    """
    counts = confusion(labels, probabilities).tolist()
    with canvas.settings():
        return confusion_matrix(canvas.PRINT, counts, names, DPI)


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

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")
