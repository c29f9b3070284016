"""The definition of every metric, shared by training, evaluation, gates and report. Pure.

Macro-F1 is the plain mean of the F1 of *all* classes of the model. A class without rows, or never predicted, counts 0:
the macro average of torchmetrics would leave out a class that occurs neither in the labels nor in the predictions, so
the score of a split could rise because a class is missing from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from mhc.facts import Metrics

ECE_BINS = 15
"""Bins of equal width of the expected calibration error (Guo et al. 2017, "On calibration of modern neural nets")."""

SMALLEST_PROBABILITY = 1e-12
"""Lower bound of a probability in the log loss, so that one certain error cannot make the mean infinite."""

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]


def measure(labels: Labels, probabilities: Probabilities, names: Sequence[str]) -> Metrics:
    """Return all metrics of one split.

    Args:
        labels: true class per row, shape [rows], 0 to len(names) - 1.
        probabilities: shape [rows, len(names)], each row sums to 1.
        names: class names in the order of the columns.

    Returns:
        The metrics; all of them None if there are no rows.
    """
    if len(labels) == 0:
        return Metrics()
    truth = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    scores = torch.from_numpy(np.asarray(probabilities, dtype=np.float32))
    predicted = scores.argmax(dim=1)
    f1 = multiclass_f1_score(predicted, truth, len(names), average="none")
    return Metrics(
        accuracy=float((predicted == truth).double().mean()),
        f1_macro=float(f1.double().mean()),
        loss=log_loss(labels, probabilities),
        ece=float(multiclass_calibration_error(scores, truth, len(names), n_bins=ECE_BINS, norm="l1")),
        f1=_per_class(f1, names),
        precision=_per_class(multiclass_precision(predicted, truth, len(names), average="none"), names),
        recall=_per_class(multiclass_recall(predicted, truth, len(names), average="none"), names),
    )


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean negative log probability of the true class, in nats; unweighted, unsmoothed."""
    chosen = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, SMALLEST_PROBABILITY)).mean())


def confusion(labels: Labels, probabilities: Probabilities) -> npt.NDArray[np.int64]:
    """Return the number of rows per (true class, predicted class), shape [classes, classes]."""
    classes = probabilities.shape[1]
    cells = np.asarray(labels, dtype=np.int64) * classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def _per_class(scores: torch.Tensor, names: Sequence[str]) -> dict[str, float]:
    return {name: round(float(score), 6) for name, score in zip(names, scores, strict=True)}
