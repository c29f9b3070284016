"""The fitted temperature is the optimum, and changes nothing but confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mhc.errors import BadInput
from mhc.model.calibration import COLDEST, apply_temperature, fit_temperature, negative_log_likelihood


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def overconfident(
    temperature: float, rows: int = 20_000, classes: int = 4, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return probabilities that are calibrated at `temperature`, and labels drawn accordingly."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(rows, classes))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    return softmax(logits * temperature).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_fit_recovers_the_true_temperature(temperature: float) -> None:
    probabilities, labels = overconfident(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.03)


def test_no_temperature_on_a_fine_grid_is_better() -> None:
    probabilities, labels = overconfident(1.7, rows=300)
    optimum = negative_log_likelihood(probabilities, labels, fit_temperature(probabilities, labels))
    grid = [negative_log_likelihood(probabilities, labels, t) for t in np.geomspace(0.05, 20, 2000)]
    assert optimum <= min(grid) + 1e-9


def test_likelihood_is_the_cross_entropy_of_torch() -> None:
    import torch

    logits = np.random.default_rng(3).normal(size=(50, 3))
    labels = np.arange(50) % 3
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits) / 1.3, torch.tensor(labels)).item()
    assert negative_log_likelihood(softmax(logits), labels, 1.3) == pytest.approx(expected, abs=1e-9)


def test_scaled_probabilities_are_the_softmax_of_scaled_logits() -> None:
    logits = np.random.default_rng(4).normal(size=(200, 5)) * 3
    scaled = apply_temperature(softmax(logits), 2.5)
    np.testing.assert_allclose(scaled, softmax(logits / 2.5), atol=1e-6)
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_perfect_model_gets_a_finite_temperature() -> None:
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    labels = np.array([0, 1])
    assert fit_temperature(probabilities, labels) >= COLDEST
    assert np.isfinite(apply_temperature(probabilities, COLDEST)).all()


def test_certain_mistake_has_a_finite_likelihood() -> None:
    assert np.isfinite(negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1]), 1.0))


def test_fit_without_rows_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be fitted on 0 rows"):
        fit_temperature(np.empty((0, 2)), np.empty(0, np.int64))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_invalid_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(BadInput, match="has to be a number above 0"):
        apply_temperature(np.array([[0.5, 0.5]]), temperature)
