"""The weights of an ensemble, and the mean of probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from mhc.errors import BadInput
from mhc.metrics import log_loss
from mhc.model.ensemble import fit_weights, mean

LABELS = np.arange(600) % 3


def model(right: float, seed: int) -> np.ndarray:
    """Return probabilities [600, 3] of a model that is right with this probability, independently of other models."""
    random = np.random.default_rng(seed)
    chosen = np.where(random.random(600) < right, LABELS, random.integers(0, 3, 600))
    return (0.1 + 0.7 * np.eye(3)[chosen]).astype(np.float32)


def test_mean_of_two_models_is_better_than_each() -> None:
    parts = [model(0.7, 1), model(0.6, 2)]
    weights = fit_weights(parts, LABELS)
    assert weights.sum() == pytest.approx(1)
    assert 0.5 < weights[0] < 1
    assert log_loss(LABELS, mean(parts, weights.tolist())) < min(log_loss(LABELS, part) for part in parts)


def test_weights_are_those_of_least_log_loss() -> None:
    parts = [model(0.7, 1), model(0.6, 2)]
    best = log_loss(LABELS, mean(parts, fit_weights(parts, LABELS).tolist()))
    grid = [log_loss(LABELS, mean(parts, [share, 1 - share])) for share in np.linspace(0, 1, 201)]
    assert best <= min(grid) + 1e-6


def test_model_that_does_not_help_gets_no_weight() -> None:
    wrong = np.roll(model(0.9, 3), 1, axis=1)
    assert fit_weights([model(0.7, 1), wrong], LABELS).tolist() == [1.0, 0.0]


def test_weights_need_rows() -> None:
    with pytest.raises(BadInput, match="Weights cannot be fitted on 600 labels of other or no rows"):
        fit_weights([model(0.7, 1), model(0.6, 2)[:10]], LABELS)
