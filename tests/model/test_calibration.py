"""The temperature that validation asks for is found, and changes nothing but confidence."""

import numpy as np
import pytest

from mhc.errors import BadInput
from mhc.model.calibration import COLDEST, apply_temperature, fit_temperature, negative_log_likelihood


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def overconfident(temperature, rows=20_000, labels=4, seed=0):
    """Probabilities that would be right at `temperature`, and labels drawn accordingly."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(rows, labels))
    drawn = (softmax(logits).cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    return softmax(logits * temperature).astype(np.float32), drawn


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    probabilities, labels = overconfident(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.03)


def test_no_temperature_on_a_fine_grid_is_better():
    probabilities, labels = overconfident(1.7, rows=300)
    found = negative_log_likelihood(probabilities, labels, fit_temperature(probabilities, labels))
    grid = [negative_log_likelihood(probabilities, labels, t) for t in np.geomspace(0.05, 20, 2000)]
    assert found <= min(grid) + 1e-9


def test_the_likelihood_is_the_cross_entropy_of_torch():
    import torch

    logits = np.random.default_rng(3).normal(size=(50, 3))
    labels = np.arange(50) % 3
    wanted = torch.nn.functional.cross_entropy(torch.tensor(logits) / 1.3, torch.tensor(labels)).item()
    assert negative_log_likelihood(softmax(logits), labels, 1.3) == pytest.approx(wanted, abs=1e-9)


def test_scaled_probabilities_are_the_softmax_of_scaled_logits_and_keep_the_argmax():
    logits = np.random.default_rng(4).normal(size=(200, 5)) * 3
    scaled = apply_temperature(softmax(logits), 2.5)
    np.testing.assert_allclose(scaled, softmax(logits / 2.5), atol=1e-6)
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_a_model_that_is_always_right_gets_the_coldest_temperature_and_no_infinity():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    labels = np.array([0, 1])
    assert fit_temperature(probabilities, labels) >= COLDEST
    assert np.isfinite(apply_temperature(probabilities, COLDEST)).all()


def test_a_certain_mistake_has_a_finite_likelihood():
    assert np.isfinite(negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1]), 1.0))


def test_nothing_to_fit_on_is_a_sentence():
    with pytest.raises(BadInput, match="cannot be fitted on 0 rows"):
        fit_temperature(np.empty((0, 2)), np.empty(0, np.int64))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(BadInput, match="has to be a number above 0"):
        apply_temperature(np.array([[0.5, 0.5]]), temperature)
