"""Rows whose label may be wrong, by confident learning. Pure numpy.

C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70 (2021). The
probabilities must be those of a model that was not trained on the rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def suspected_labels(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return [n]: the label that each row seems to have, from labels [n] and probabilities [n, k].

    It is another than the given one if that other is at least as probable as it is on average for the rows that have
    it, and more probable than the given one.
    """
    classes = probabilities.shape[1]
    threshold = np.full(classes, np.inf)
    for label in np.unique(labels):
        threshold[label] = probabilities[labels == label, label].mean()
    confident = np.where(probabilities >= threshold, probabilities, -1.0)
    best = confident.argmax(axis=1)
    rows = np.arange(len(labels))
    other = (confident[rows, best] > 0) & (probabilities[rows, best] > probabilities[rows, labels])
    return np.where(other, best, labels)
