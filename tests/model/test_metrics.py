from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_score, recall_score

from mhc import metrics
from mhc.facts import Metrics

NAMES = ["a", "b", "c", "d"]


def predictions(rows: int, seed: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), rows).astype(np.float32)
    return rng.integers(0, classes, rows), probabilities


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 200), seed=st.integers(0, 1000))
def test_metrics_are_those_of_scikit_learn(rows: int, seed: int) -> None:
    labels, probabilities = predictions(rows, seed)
    predicted, result = probabilities.argmax(axis=1), metrics.measure(labels, probabilities, NAMES)
    options = {"labels": range(4), "average": None, "zero_division": 0}
    assert result.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert result.f1_macro == pytest.approx(np.mean(f1_score(labels, predicted, **options)), abs=1e-6)
    assert list(result.f1.values()) == pytest.approx(list(f1_score(labels, predicted, **options)), abs=1e-6)
    assert list(result.precision.values()) == pytest.approx(
        list(precision_score(labels, predicted, **options)), abs=1e-6
    )
    assert list(result.recall.values()) == pytest.approx(list(recall_score(labels, predicted, **options)), abs=1e-6)
    assert result.loss == pytest.approx(log_loss(labels, probabilities, labels=range(4)), rel=1e-4)


def test_class_without_rows_counts_zero_in_macro_f1() -> None:
    probabilities = np.eye(4, dtype=np.float32)[[0, 1, 2]]
    assert metrics.measure(np.array([0, 1, 2]), probabilities, NAMES).f1_macro == pytest.approx(0.75)


def test_no_rows_give_no_metrics() -> None:
    assert metrics.measure(np.empty(0, np.int64), np.empty((0, 4), np.float32), NAMES) == Metrics()


def test_certain_error_has_a_finite_loss() -> None:
    certain = np.array([[1.0, 0.0]], np.float32)
    assert metrics.measure(np.array([1]), certain, ["a", "b"]).loss == pytest.approx(-np.log(1e-12))


def test_calibration_error_is_the_weighted_gap_of_15_bins() -> None:
    """Predict ten rows with confidence 0.9, of which six are right: the gap is 0.3."""
    probabilities = np.tile(np.array([0.9, 0.1], np.float32), (10, 1))
    assert metrics.measure(np.array([0] * 6 + [1] * 4), probabilities, ["a", "b"]).ece == pytest.approx(0.3, abs=1e-6)


def test_confusion_has_true_classes_as_rows() -> None:
    labels, probabilities = predictions(100, 3)
    expected = confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(4))
    assert metrics.confusion(labels, probabilities).tolist() == expected.tolist()
