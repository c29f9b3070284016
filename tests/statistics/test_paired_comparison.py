from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels

from mhc.statistics import estimates, f1_difference, paired_comparison


def two_models(seed: int, examples: int = 300, better: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, examples)
    first = np.where(rng.random(examples) < 0.6, labels, rng.integers(0, 4, examples))
    second = np.where(rng.random(examples) < better, labels, first)
    return labels, first, second


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (3, 9), (9, 3), (10, 10), (0, 7), (40, 61)])
def test_mcnemar_equals_statsmodels_and_scipy(only_first: int, only_second: int) -> None:
    p_value = paired_comparison.mcnemar(only_first, only_second)
    table = [[50, only_first], [only_second, 50]]
    assert p_value == pytest.approx(mcnemar_of_statsmodels(table, exact=True).pvalue, abs=1e-9)
    if only_first + only_second:
        assert p_value == pytest.approx(binomtest(only_first, only_first + only_second).pvalue, abs=1e-9)


def test_joint_table_holds_both_confusion_matrices() -> None:
    labels, first, second = two_models(0)
    joint = paired_comparison.joint_table(labels, first, second, 4)
    assert np.array_equal(joint.sum(2), estimates.confusion(labels, first, 4))
    assert np.array_equal(joint.sum(1), estimates.confusion(labels, second, 4))


def test_comparison_has_the_plain_differences() -> None:
    labels, first, second = two_models(1)
    comparison = paired_comparison.compare(
        paired_comparison.joint_table(labels, first, second, 4), 0.05, 1, 2000, np.random.default_rng(0)
    )
    f1 = [float(estimates.f1_macro(estimates.confusion(labels, predictions, 4))) for predictions in (first, second)]
    assert comparison.difference == pytest.approx(f1[1] - f1[0], abs=1e-12)
    assert comparison.accuracy_difference == pytest.approx(
        np.mean(second == labels) - np.mean(first == labels), abs=1e-12
    )
    assert comparison.low < comparison.difference < comparison.high
    assert comparison.discordant == int((first != second).sum())
    assert comparison.low > 0


def test_models_with_equal_predictions_tie_exactly() -> None:
    labels, first, _ = two_models(2)
    comparison = paired_comparison.compare(
        paired_comparison.joint_table(labels, first, first, 4), 0.05, 20, 2000, np.random.default_rng(0)
    )
    assert (comparison.difference, comparison.low, comparison.high, comparison.mcnemar_p) == (0, 0, 0, 1)


def test_swapping_the_models_mirrors_the_bounds() -> None:
    labels, first, second = two_models(3)
    forward = paired_comparison.compare(
        paired_comparison.joint_table(labels, first, second, 4), 0.05, 1, 20_000, np.random.default_rng(0)
    )
    backward = paired_comparison.compare(
        paired_comparison.joint_table(labels, second, first, 4), 0.05, 1, 20_000, np.random.default_rng(1)
    )
    assert backward.difference == pytest.approx(-forward.difference)
    assert backward.high == pytest.approx(-forward.low, abs=0.005)


def test_picking_from_many_widens_the_bound() -> None:
    joint = paired_comparison.joint_table(*two_models(4), 4)
    alone, of_twenty = (
        paired_comparison.compare(joint, 0.05, picked, 10_000, np.random.default_rng(0)) for picked in (1, 20)
    )
    assert of_twenty.level == pytest.approx(0.05 / 20)
    assert of_twenty.low < alone.low
    assert of_twenty.difference == alone.difference


def test_pairing_detects_more_than_two_separate_intervals() -> None:
    labels, first, second = two_models(5, examples=400, better=0.12)
    paired = paired_comparison.compare(
        paired_comparison.joint_table(labels, first, second, 4), 0.05, 1, 5000, np.random.default_rng(0)
    )
    intervals = [
        estimates.f1_macro_interval(estimates.confusion(labels, predictions, 4), 0.9, 5000, np.random.default_rng(0))
        for predictions in (first, second)
    ]
    assert paired.low > 0
    assert intervals[0].high > intervals[1].low


def test_ten_thousand_paired_resamples_take_less_than_a_second() -> None:
    joint = paired_comparison.joint_table(*two_models(6, examples=5000), 4)
    started = time.process_time()
    paired_comparison.compare(joint, 0.05, 20, 10_000, np.random.default_rng(0))
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("classes", [1, 4, 29])
def test_resamples_of_occupied_cells_equal_those_of_all(classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels, first, second = rng.integers(0, classes, (3, 60))
    joint = paired_comparison.joint_table(labels, first, second, classes)
    sparse = f1_difference.resampled_differences(joint, 40, np.random.default_rng(0))
    dense = f1_difference.difference_of_f1(estimates.resample_rows(joint, 40, np.random.default_rng(0)))
    for values, expected in zip(sparse, dense, strict=True):
        assert values == pytest.approx(expected, abs=1e-12)


def test_comparison_of_a_hundred_classes_needs_little_memory() -> None:
    rng = np.random.default_rng(1)
    labels, first, second = rng.integers(0, 100, (3, 500))
    joint = paired_comparison.joint_table(labels, first, second, 100)  # all cells of 10,000 resamples are 80 GB
    comparison = paired_comparison.compare(joint, 0.05, 1, 10_000, rng)
    assert comparison.low < comparison.difference < comparison.high
