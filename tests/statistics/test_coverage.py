"""Simulations of the coverage of intervals, and of the error rate of comparisons. Seeds are fixed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.special import ndtri

from mhc.statistics import estimates, paired_comparison

SETS = 2000
TOLERANCE = 0.015
"""Of the coverage, around 0.95."""


def small_test_sets(seed: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield counts of a test set drawn from a random population, the population's rates [k, k], and its shares [k].

    2 to 6 classes, 15 to 40 examples per class on average, skewed shares, recalls from 0.3 to 0.95.
    """
    rng = np.random.default_rng(seed)
    for _ in range(SETS):
        classes = int(rng.integers(2, 7))
        shares = 0.5 * rng.dirichlet(np.full(classes, 2.0)) + 0.5 / classes
        rates = np.stack([rng.dirichlet(np.ones(classes)) for _ in range(classes)])
        recalls = rng.uniform(0.3, 0.95, classes)
        np.fill_diagonal(rates, 0)
        rates *= ((1 - recalls) / rates.sum(1))[:, None]
        np.fill_diagonal(rates, recalls)
        totals = np.maximum(rng.multinomial(classes * int(rng.integers(15, 41)), shares), 2)
        yield np.stack([rng.multinomial(n, row) for n, row in zip(totals, rates, strict=True)]), rates, shares


@pytest.mark.slow
def test_intervals_cover_the_truth_in_95_percent_of_small_sets() -> None:
    rng = np.random.default_rng(1)
    hits: dict[str, list[bool]] = {"accuracy": [], "recall": [], "f1_macro": []}
    for counts, rates, shares in small_test_sets(seed=11):
        population = rates * shares[:, None]
        interval = estimates.accuracy_interval(counts, 0.95)
        hits["accuracy"].append(interval.low <= np.trace(population) <= interval.high)
        for label, recall in enumerate(estimates.recall_intervals(counts, 0.95)):
            assert recall is not None
            hits["recall"].append(recall.low <= rates[label, label] <= recall.high)
        interval = estimates.f1_macro_interval(counts, 0.95, 1000, rng)
        hits["f1_macro"].append(interval.low <= float(estimates.f1_macro(population * 1e6)) <= interval.high)
    coverage = {name: float(np.mean(hit)) for name, hit in hits.items()}
    assert all(abs(share - 0.95) <= TOLERANCE for share in coverage.values()), coverage


def equal_models(
    rng: np.random.Generator, count: int, examples: int, classes: int, alike: float, worse: float = 0.0
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return labels, and the predictions of a champion and of `count` challengers that are as good (or `worse`) as it.

    All err more often on the same hard examples, the more so the more they are `alike`.
    """
    recalls = rng.uniform(0.45, 0.9, classes)
    labels = np.arange(examples) % classes
    hardness = rng.standard_normal(examples)
    usual = (labels + rng.integers(1, classes, examples)) % classes
    predictions = []
    for model in range(count + 1):
        own = np.sqrt(alike) * hardness + np.sqrt(1 - alike) * rng.standard_normal(examples)
        wrong = np.where(rng.random(examples) < alike, usual, (labels + rng.integers(1, classes, examples)) % classes)
        right = own < ndtri(
            recalls[labels] - (worse if model else 0)
        )  # subtracted from every recall, and thus from macro-F1
        predictions.append(np.where(right, labels, wrong))
    return labels, predictions


def false_alarms(count: int, *, worlds: int, seed: int, worse: float = 0.0, margin: float = 0.0) -> float:
    """Return how often the best of `count` challengers is found better than minus `margin`, although none is."""
    rng = np.random.default_rng(seed)
    alarms = []
    for world in range(worlds):
        classes, examples, alike = ((4, 120, 0.7), (2, 80, 0.5), (6, 180, 0.9), (4, 400, 0.7))[world % 4]
        labels, (champion, *rest) = equal_models(rng, count, examples, classes, alike, worse)
        best = max(
            rest, key=lambda predicted: float(estimates.f1_macro(estimates.confusion(labels, predicted, classes)))
        )
        joint = paired_comparison.joint_table(labels, champion, best, classes)
        interval = paired_comparison.compare(joint, 0.05, count, 1000 if count == 1 else 4000, rng)
        alarms.append(interval.low > -margin)
    return float(np.mean(alarms))


def most(level: float, worlds: int) -> float:
    """The level, and two standard errors of the simulation."""
    return level + 2 * float(np.sqrt(level * (1 - level) / worlds))


@pytest.mark.slow
def test_one_equal_run_is_rarely_called_better() -> None:
    assert false_alarms(1, worlds=1000, seed=21) <= most(0.05, 1000)


@pytest.mark.slow
def test_best_of_20_equal_runs_is_rarely_called_better() -> None:
    assert false_alarms(20, worlds=500, seed=22) <= most(0.05, 500)


@pytest.mark.slow
def test_best_of_20_without_correction_is_often_called_better() -> None:
    rng = np.random.default_rng(23)
    alarms = []
    for _ in range(300):
        labels, (champion, *rest) = equal_models(rng, 20, 200, 4, 0.7)
        best = max(rest, key=lambda predicted: float(estimates.f1_macro(estimates.confusion(labels, predicted, 4))))
        joint = paired_comparison.joint_table(labels, champion, best, 4)
        alarms.append(paired_comparison.compare(joint, 0.05, 1, 1000, rng).low > 0)
    assert np.mean(alarms) > 0.2


@pytest.mark.slow
def test_run_that_is_worse_by_the_margin_rarely_passes() -> None:
    assert false_alarms(1, worlds=1000, seed=24, worse=0.05, margin=0.05) <= most(0.05, 1000)
