"""The non-inferiority test of a class's recall: against its definition, statsmodels, and by its error rate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, ndtri, xlogy
from statsmodels.stats.contingency_tables import mcnemar

from mhc.statistics.paired_comparison import (
    PairedRecall,
    joint_table,
    paired_recall,
    recall_examples_needed,
    recall_p_value,
    recall_score,
)

LEVEL = 0.05
SIMULATIONS = 2000

TABLES = [(6, 2, 50, 0.05), (0, 0, 20, 0.1), (3, 3, 50, 0.1), (1, 4, 30, 0.05), (5, 0, 12, 0.0), (0, 3, 30, 0.2)]


def score_by_search(gained: int, lost: int, examples: int, margin: float) -> float:
    """Return the score statistic with the restricted maximum of the likelihood searched numerically."""

    def loss(rate: float) -> float:
        rest = max(1 - 2 * rate - margin, 1e-300)
        return -float(xlogy(gained, rate) + xlogy(lost, rate + margin) + (examples - gained - lost) * np.log(rest))

    rate = minimize_scalar(loss, bounds=(0, (1 - margin) / 2), method="bounded", options={"xatol": 1e-12}).x
    return float((gained - lost + examples * margin) / np.sqrt(examples * (2 * rate + margin - margin**2)))


@pytest.mark.parametrize(("gained", "lost", "examples", "margin"), TABLES)
def test_score_has_the_restricted_maximum_of_likelihood(gained: int, lost: int, examples: int, margin: float) -> None:
    score = float(recall_score(np.array(gained), np.array(lost), examples, margin))
    assert score == pytest.approx(score_by_search(gained, lost, examples, margin), rel=1e-4)


@pytest.mark.parametrize(("gained", "lost"), [(3, 9), (9, 3), (10, 10), (0, 7), (61, 40)])
def test_score_without_a_margin_is_mcnemar_of_statsmodels(gained: int, lost: int) -> None:
    reference = mcnemar([[50, lost], [gained, 50]], exact=False, correction=False)
    score = float(recall_score(np.array(gained), np.array(lost), 100 + gained + lost, 0.0))
    assert score**2 == pytest.approx(reference.statistic)
    assert np.sign(score) == np.sign(gained - lost)


def p_by_enumeration(gained: int, lost: int, examples: int, margin: float) -> float:
    """Return the p of the definition: all tables, 4,001 rates of discordance."""
    table = np.indices((examples + 1, examples + 1)).reshape(2, -1)
    more, fewer = table[:, table.sum(axis=0) <= examples]
    limit = float(recall_score(np.array(gained), np.array(lost), examples, margin))
    reached = recall_score(more, fewer, examples, margin) >= limit - 1e-9
    more, fewer = more[reached], fewer[reached]
    ways = gammaln(examples + 1) - gammaln(more + 1) - gammaln(fewer + 1) - gammaln(examples - more - fewer + 1)
    largest = 0.0
    for rate in np.linspace(0, (1 - margin) / 2, 4001):
        rest = xlogy(examples - more - fewer, max(0.0, 1 - 2 * rate - margin))
        terms = np.exp(ways + xlogy(more, rate) + xlogy(fewer, rate + margin) + rest)
        largest = max(largest, float(terms.sum()))
    return largest


@pytest.mark.parametrize(("gained", "lost", "examples", "margin"), TABLES)
def test_p_value_is_that_of_all_tables(gained: int, lost: int, examples: int, margin: float) -> None:
    expected = p_by_enumeration(gained, lost, examples, margin)
    assert recall_p_value(gained, lost, examples, margin) == pytest.approx(expected, abs=5e-6)


def test_p_value_of_equal_predictions_is_that_of_no_fall() -> None:
    assert recall_p_value(0, 0, 59, 0.05) == pytest.approx(0.95**59)
    assert recall_p_value(0, 0, 0, 0.05) == 1.0


def test_p_value_falls_with_gains_and_rises_with_losses() -> None:
    values = [recall_p_value(gained, lost, 60, 0.05) for gained, lost in ((0, 4), (1, 4), (4, 4), (4, 1), (4, 0))]
    assert values == sorted(values, reverse=True)
    assert recall_p_value(3, 3, 60, 0.1) < recall_p_value(3, 3, 60, 0.05)


def test_joint_table_gives_the_pairs_of_one_class() -> None:
    labels = np.array([1, 1, 1, 1, 0])
    incumbent, challenger = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 1, 2, 1])
    expected = PairedRecall(examples=4, incumbent_right=2, challenger_right=2, gained=1, lost=1)
    assert paired_recall(joint_table(labels, incumbent, challenger, 3), 1) == expected


@pytest.mark.parametrize(("gained", "lost", "examples"), [(4, 4, 100), (2, 3, 100), (0, 0, 30), (10, 12, 200)])
def test_number_of_examples_needed_is_sufficient(gained: int, lost: int, examples: int) -> None:
    right = examples // 2
    recall = PairedRecall(
        examples=examples, incumbent_right=right, challenger_right=right + gained - lost, gained=gained, lost=lost
    )
    needed = recall_examples_needed(recall, 0.05, LEVEL)
    assert needed is not None
    factor = 1.25 * needed / examples
    more = [round(count * factor) for count in (gained, lost, examples)]
    assert recall_p_value(gained, lost, examples, 0.05) > LEVEL >= recall_p_value(*more, 0.05)


def test_no_number_of_examples_excuses_a_fall_by_the_margin() -> None:
    fallen = PairedRecall(examples=100, incumbent_right=80, challenger_right=70, gained=0, lost=10)
    assert recall_examples_needed(fallen, 0.05, LEVEL) is None


def tables_at_the_margin(examples: int, rate: float, margin: float, seed: int) -> np.ndarray:
    """Draw `gained` and `lost` of challengers whose recall is lower by exactly the margin."""
    rng = np.random.default_rng(seed)
    shares = [rate, rate + margin, max(0.0, 1 - 2 * rate - margin)]
    return rng.multinomial(examples, shares, size=SIMULATIONS)[:, :2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("examples", "rate", "margin", "level"),
    [
        (20, 0.0, 0.1, 0.05), (20, 0.1, 0.05, 0.05), (20, 0.3, 0.02, 0.05), (30, 0.45, 0.1, 0.05),
        (50, 0.0, 0.05, 0.05), (50, 0.02, 0.05, 0.05), (50, 0.1, 0.1, 0.05), (50, 0.25, 0.05, 0.05),
        (50, 0.1, 0.1, 0.05 / 4), (100, 0.02, 0.02, 0.05), (100, 0.1, 0.05, 0.05 / 4), (200, 0.02, 0.05, 0.05),
    ],
)  # fmt: skip
def test_recall_lower_by_the_margin_rarely_passes(examples: int, rate: float, margin: float, level: float) -> None:
    tables = tables_at_the_margin(examples, rate, margin, seed=examples)
    distinct, numbers = np.unique(tables, axis=0, return_counts=True)
    passed = [recall_p_value(int(gained), int(lost), examples, margin) <= level for gained, lost in distinct]
    share = float(numbers[passed].sum() / SIMULATIONS)
    assert share <= level + 3 * np.sqrt(level * (1 - level) / SIMULATIONS)


def test_score_against_the_normal_quantile_passes_too_often() -> None:
    shares = []
    for rate in np.linspace(0, 0.45, 46):
        gained, lost = tables_at_the_margin(30, float(rate), 0.1, seed=3).T
        shares.append(float((recall_score(gained, lost, 30, 0.1) >= ndtri(1 - LEVEL)).mean()))
    assert max(shares) > LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / SIMULATIONS)
