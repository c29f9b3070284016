"""Temperature scaling: one number that makes confidence match accuracy. Pure: numpy and scipy, no torch, no disk.

C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2:
q = softmax(z / T) with the T that minimises the negative log likelihood on the validation split. The argmax, and so the
accuracy, does not change. Since softmax(log p / T) = softmax(z / T), the probabilities suffice.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mhc.errors import BadInput

COLDEST, HOTTEST = 0.05, 20.0
"""Range of temperatures. For a model that is right on every validation row the optimum would be 0."""
_TINY = 1e-12


def apply_temperature(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Return softmax(log(probabilities) / temperature), [n, k] as float32. Rows of nan stay nan.

    Args:
        probabilities: [n, k].
        temperature: above 0; 1 changes nothing.

    Raises:
        BadInput: if the temperature is not a finite number above 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise BadInput(f"The temperature is {temperature}; it has to be a number above 0")
    if temperature == 1:
        return probabilities.astype(np.float32)
    scaled = np.log(np.maximum(probabilities.astype(np.float64), _TINY)) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def negative_log_likelihood(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], temperature: float
) -> float:
    """Return the mean of -log q[label] in nats; probabilities [n, k], labels [n]."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), _TINY)) / temperature
    top = logs.max(axis=1)
    normaliser = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    return float(np.mean(normaliser - logs[np.arange(len(labels)), labels]))


def fit_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Return the temperature of least negative log likelihood on a validation split.

    The likelihood is convex in 1/T, so a bounded search in log T finds the only minimum.

    Args:
        probabilities: [n, k].
        labels: true classes, [n].

    Raises:
        BadInput: if there are no rows, or the lengths differ.
    """
    from scipy.optimize import minimize_scalar

    if len(labels) == 0 or len(labels) != len(probabilities):
        raise BadInput(f"A temperature cannot be fitted on {len(probabilities)} rows with {len(labels)} labels")
    optimum = minimize_scalar(
        lambda log_t: negative_log_likelihood(probabilities, labels, math.exp(log_t)),
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(float(optimum.x))
