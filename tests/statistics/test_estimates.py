from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, recall_score
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.functional.classification import multiclass_calibration_error

from mhc.statistics import estimates
from mhc.statistics.estimates import Interval


def labels_and_predictions(seed: int, classes: int = 4, examples: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    return labels, np.where(rng.random(examples) < 0.6, labels, rng.integers(0, classes, examples))


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_macro_f1_and_recall_equal_scikit_learn(seed: int) -> None:
    labels, predicted = labels_and_predictions(seed)
    counts = estimates.confusion(labels, predicted, 4)
    assert float(estimates.accuracy(counts)) == pytest.approx(accuracy_score(labels, predicted), abs=1e-12)
    expected = f1_score(labels, predicted, labels=range(4), average="macro", zero_division=0)
    assert float(estimates.f1_macro(counts)) == pytest.approx(expected, abs=1e-12)
    recalls = [interval.point for interval in estimates.recall_intervals(counts, 0.95) if interval]
    assert recalls == pytest.approx(recall_score(labels, predicted, average=None).tolist(), abs=1e-12)


def test_class_without_rows_counts_zero_as_in_mhc_metrics() -> None:
    from mhc.metrics import measure

    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    counts = estimates.confusion(labels, predicted, 3)
    measured = measure(labels, np.eye(3, dtype=np.float32)[predicted], ["a", "b", "c"])
    assert float(estimates.f1_macro(counts)) == pytest.approx(measured.f1_macro or 0, abs=1e-6)
    assert estimates.recall_intervals(counts, 0.95)[2] is None


@pytest.mark.parametrize("successes", [0, 1, 17, 39, 40])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_equals_statsmodels_and_scipy(successes: int, confidence: float) -> None:
    interval = estimates.wilson(successes, 40, confidence)
    low, high = proportion_confint(successes, 40, alpha=1 - confidence, method="wilson")
    by_scipy = binomtest(successes, 40).proportion_ci(confidence, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-9)
    assert (interval.low, interval.high) == pytest.approx((by_scipy.low, by_scipy.high), abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_calibration_error_equals_torchmetrics(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.3] * 4, 300).astype(np.float32)
    labels = rng.integers(0, 4, 300)
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(labels), 4, n_bins=15, norm="l1")
    assert estimates.expected_calibration_error(probabilities, labels) == pytest.approx(float(expected), abs=1e-6)


def test_calibration_error_at_confidence_1_equals_torchmetrics() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    labels = np.array([0, 1, 1, 0])
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(labels), 3, n_bins=15, norm="l1")
    assert estimates.expected_calibration_error(probabilities, labels) == pytest.approx(float(expected), abs=1e-6)


def test_error_of_macro_f1_equals_resampling_for_many_examples() -> None:
    labels, predicted = labels_and_predictions(1, examples=20_000)
    counts = estimates.confusion(labels, predicted, 4)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(counts.sum(), (counts / counts.sum()).ravel(), size=4000).reshape(-1, 4, 4)
    by_formula = float(estimates.f1_macro_error(counts.astype(float)))
    assert by_formula == pytest.approx(float(estimates.f1_macro(drawn).std()), rel=0.05)


def test_resampling_keeps_the_number_of_examples_of_each_class() -> None:
    counts = estimates.confusion(*labels_and_predictions(2), 4)
    drawn = estimates.resample_rows(counts, 50, np.random.default_rng(0))
    assert np.array_equal(drawn.sum(-1), np.broadcast_to(counts.sum(1), (50, 4)))
    assert not drawn[:, counts == 0].any()


def test_resampling_counts_has_the_distribution_of_examples() -> None:
    labels, predicted = labels_and_predictions(3, examples=120)
    counts = estimates.confusion(labels, predicted, 4)
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(labels == label) for label in range(4)]
    one_by_one = []
    for _ in range(3000):
        sample = np.concatenate([rng.choice(row, len(row)) for row in rows])
        one_by_one.append(float(estimates.f1_macro(estimates.confusion(labels[sample], predicted[sample], 4))))
    drawn = estimates.f1_macro(estimates.resample_rows(counts, 20_000, rng))
    expected = np.quantile(one_by_one, [0.025, 0.5, 0.975])
    assert np.quantile(drawn, [0.025, 0.5, 0.975]) == pytest.approx(expected, abs=0.01)


def test_ten_thousand_resamples_take_less_than_a_second() -> None:
    counts = estimates.confusion(*labels_and_predictions(4, classes=7, examples=5000), 7)
    started = time.process_time()
    estimates.f1_macro_interval(counts, 0.95, 10_000, np.random.default_rng(0))
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("correct", [True, False], ids=["all correct", "all wrong"])
def test_interval_of_a_certain_result_has_a_width(correct: bool) -> None:
    labels = np.arange(40) % 4
    predicted = labels if correct else (labels + 1) % 4
    interval = estimates.f1_macro_interval(
        estimates.confusion(labels, predicted, 4), 0.95, 1000, np.random.default_rng(0)
    )
    assert interval.point == float(correct)
    assert interval.high - interval.low > 0.05
    assert interval.low <= interval.point <= interval.high


def test_same_evidence_gives_the_same_interval() -> None:
    counts = estimates.confusion(*labels_and_predictions(5), 4)
    first, second = (estimates.f1_macro_interval(counts, 0.95, 2000, np.random.default_rng(0)) for _ in range(2))
    assert first == second


def test_examples_needed_separate_value_and_threshold() -> None:
    interval = estimates.wilson(24, 40, 0.95)
    needed = estimates.examples_needed(interval, 0.55)
    assert needed is not None
    assert needed > 40
    larger = estimates.wilson(round(0.6 * needed), needed, 0.95)
    assert larger.low == pytest.approx(0.55, abs=0.01)


def test_no_number_of_examples_separates_equal_values() -> None:
    interval = Interval(point=0.5, low=0.4, high=0.6, confidence=0.95, examples=100)
    assert estimates.examples_needed(interval, 0.5) is None
