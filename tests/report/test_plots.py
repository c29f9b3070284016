"""Figures: images without a display, and the bins of the calibration error."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from mhc.metrics import ECE_BINS, measure
from mhc.report import plots


def results(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    return generator.integers(0, classes, rows), generator.dirichlet(np.ones(classes), rows).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 4, 29])
def test_figures_are_nonempty_images(classes: int) -> None:
    labels, probabilities = results(200, classes)
    names = [f"class number {number}" for number in range(classes)]
    for figure in (
        plots.confusion_figure(labels, probabilities, names),
        plots.reliability_figure(labels, probabilities, 0.1),
    ):
        image = plots.pixels(figure)
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert len(np.unique(image)) > 20


def test_class_without_rows_is_a_row_of_zeros() -> None:
    labels, probabilities = results(50, 3)
    probabilities = np.pad(probabilities, ((0, 0), (0, 1)))
    figure = plots.confusion_figure(labels, probabilities, ["a", "b", "c", "never"])
    counts = [text.get_text() for text in figure.axes[0].texts]
    assert counts[-4:] == ["0", "0", "0", "0"]


def test_reliability_gives_the_calibration_error() -> None:
    labels, probabilities = results(500, 3)
    confidence, accuracy, rows = plots.reliability(labels, probabilities)
    assert len(rows) == ECE_BINS
    gap = float((np.abs(confidence - accuracy) * rows).sum() / rows.sum())
    assert gap == pytest.approx(measure(labels, probabilities, ["a", "b", "c"]).ece, abs=1e-6)


def test_figures_are_not_registered_with_pyplot() -> None:
    labels, probabilities = results(20, 2)
    plots.pixels(plots.confusion_figure(labels, probabilities, ["a", "b"]))
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
