"""Paired comparison of two models on the same examples: macro-F1, accuracy, recall of a class. Pure numpy and scipy.

A joint table is [k, k, k] counts: true class, prediction of the incumbent, prediction of the challenger. It is
sufficient for macro-F1 and accuracy of both models, and has the pairing: two models err on the same hard examples.

The recall of a class is tested for non-inferiority. Of its n examples the challenger alone is right on `gained`, the
incumbent alone on `lost`; the hypothesis to be rejected is that the recall fell by the margin or more. The test is
exact and unconditional, ordered by the score statistic of T. Tango (Stat. Med. 17, 1998): p is the largest probability,
over all rates of discordance, of a statistic at least as large as the measured one (J. Hsueh, J. Liu, J. Chen,
Biometrics 57, 2001). It was chosen by its error rate at the margin (tests/production/test_paired_recall.py): with 20 to
400 examples and a level of 5 %, Tango's statistic against the normal quantile passes up to 7 % of the challengers, this
test at most 5 %.
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, gammaln, ndtri, stdtrit, xlog1py, xlogy

from mhc.statistics.estimates import Counts, Floats, accuracy, f1_macro
from mhc.statistics.f1_difference import difference_of_f1, resampled_differences

GRID = 400
"""Number of discordance rates over which the largest probability is searched."""
TAIL = 9.0
"""Standard deviations around the mean of `lost` that are summed; the rest has a probability below 1e-15."""
EPSILON = 1e-9
"""Statistics that differ by less are equal."""
MAX_EXAMPLES = 1_000_000
"""Largest number of examples that is worth naming as needed."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Challenger against incumbent on the same examples. Differences are challenger minus incumbent."""

    examples: int
    discordant: int
    """Number of examples on which the predictions differ."""
    incumbent_f1_macro: float
    challenger_f1_macro: float
    difference: float
    """Of macro-F1."""
    low: float
    """Lower bound of the difference, one-sided at `level`, which is corrected for picking the best of several runs."""
    high: float
    """Upper bound, one-sided at the uncorrected level."""
    level: float
    """One-sided error level of `low`, after the correction."""
    picked_from: int
    """Number of runs that the challenger was picked from; the correction is for this number."""
    accuracy_difference: float
    mcnemar_p: float
    """Exact, two-sided, of accuracy; without a correction."""


def joint_table(
    labels: NDArray[np.integer], incumbent: NDArray[np.integer], challenger: NDArray[np.integer], classes: int
) -> Counts:
    """Count [k, k, k] from true classes and both predictions, all [n]."""
    flat = (labels.astype(np.int64) * classes + incumbent) * classes + challenger
    return np.bincount(flat, minlength=classes**3).reshape(classes, classes, classes)


def corrected_level(level: float, picked_from: int) -> float:
    """Return level / N (Bonferroni): the best of N beats the incumbent by chance at most as often as any of the N does.

    Valid for any dependence between the N runs (they share the test set and often the data), which Sidak's slightly
    larger level is not in general; a max-statistic bootstrap is sharper but needs the evidence of all N.
    """
    return level / max(picked_from, 1)


def mcnemar(only_incumbent: int, only_challenger: int) -> float:
    """Return the exact two-sided p of McNemar's test.

    Under the null hypothesis each example that only one model got right is a Bernoulli(0.5) trial. Q. McNemar,
    Psychometrika 12, 1947; the exact form is the binomial test, as statsmodels' `mcnemar(exact=True)`.
    """
    total = only_incumbent + only_challenger
    return min(1.0, 2 * float(bdtr(min(only_incumbent, only_challenger), total, 0.5))) if total else 1.0


def compare(joint: Counts, level: float, picked_from: int, resamples: int, rng: np.random.Generator) -> Comparison:
    """Return the comparison of a joint table [k, k, k]: bounds of the macro-F1 difference, and McNemar on accuracy."""
    values = joint.astype(np.float64)
    difference, error = difference_of_f1(values)
    low_level = corrected_level(level, picked_from)
    low, high = _bounds(joint, float(difference), float(error), (low_level, level), resamples, rng)
    incumbent, challenger = values.sum(2), values.sum(1)
    only_incumbent, only_challenger = _right_alone(joint)
    return Comparison(
        examples=int(joint.sum()),
        discordant=_discordant(joint),
        incumbent_f1_macro=float(f1_macro(incumbent)),
        challenger_f1_macro=float(f1_macro(challenger)),
        difference=float(difference),
        low=low,
        high=high,
        level=low_level,
        picked_from=picked_from,
        accuracy_difference=float(accuracy(challenger) - accuracy(incumbent)),
        mcnemar_p=mcnemar(only_incumbent, only_challenger),
    )


def _bounds(
    joint: Counts,
    difference: float,
    error: float,
    levels: tuple[float, float],
    resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return one-sided bounds: the wider of a paired, stratified, studentised bootstrap and Student's t.

    In the far tails that a correction for best-of-N needs, a bootstrap of few discordant examples is too narrow;
    Student's t with (discordant - 1) degrees of freedom is not. Because macro-F1 changes in steps of about one example,
    both bounds are moved outwards by half a step (A. Edwards, Psychometrika 13, 1948, for McNemar's test). The error
    rates are measured in tests/production/test_coverage.py.
    """
    discordant = _discordant(joint)
    if discordant == 0:
        return difference, difference
    degrees = max(discordant - 1, 1)
    differences, errors = resampled_differences(joint, resamples, rng)
    studentised = (differences - difference) / np.maximum(errors, error / 5)
    below = min(-float(np.quantile(studentised, 1 - levels[0])), float(stdtrit(degrees, levels[0])))
    above = max(-float(np.quantile(studentised, levels[1])), float(stdtrit(degrees, 1 - levels[1])))
    half_step = 0.5 / float(joint.sum())
    low = difference + below * error - half_step
    return max(-1.0, low), min(1.0, difference + above * error + half_step)


def _discordant(joint: Counts) -> int:
    return int(joint.sum() - np.einsum("cii->", joint))


def _right_alone(joint: Counts) -> tuple[int, int]:
    """Return the numbers of examples that only the incumbent, and that only the challenger, predicted correctly."""
    classes = np.arange(len(joint))
    both = int(joint[classes, classes, classes].sum())
    return int(joint[classes, classes, :].sum()) - both, int(joint[classes, :, classes].sum()) - both


def examples_needed(comparison: Comparison, margin: float) -> int | None:
    """Return the examples at which the bound would exclude a loss of macro-F1 by `margin`, if the difference stays.

    The distance of a bound is proportional to 1 / sqrt(n). None if no number is sufficient.
    """
    room = comparison.difference + margin
    if room <= 0:
        return None
    needed = math.ceil(comparison.examples * ((comparison.difference - comparison.low) / room) ** 2 - 1e-6)
    return needed if needed <= MAX_EXAMPLES else None


class PairedRecall(msgspec.Struct, frozen=True, kw_only=True):
    """Both models on the examples of one class."""

    examples: int
    incumbent_right: int
    challenger_right: int
    gained: int
    """Examples on which only the challenger is right."""
    lost: int
    """Examples on which only the incumbent is right."""

    @property
    def difference(self) -> float:
        """Recall of the challenger minus recall of the incumbent; 0 without examples."""
        return (self.gained - self.lost) / self.examples if self.examples else 0.0


def paired_recall(joint: Counts, label: int) -> PairedRecall:
    """Return both models on one class of a joint table [k, k, k]: true class, incumbent, challenger."""
    cells = joint[label]
    incumbent, challenger = int(cells[label].sum()), int(cells[:, label].sum())
    both = int(cells[label, label])
    return PairedRecall(
        examples=int(cells.sum()),
        incumbent_right=incumbent,
        challenger_right=challenger,
        gained=challenger - both,
        lost=incumbent - both,
    )


def recall_p_value(gained: int, lost: int, examples: int, margin: float) -> float:
    """Return the exact one-sided p against a fall by `margin` or more; 1 without examples."""
    return _recall_p_value(gained, lost, examples, margin) if examples else 1.0


@lru_cache(maxsize=4096)
def _recall_p_value(gained: int, lost: int, examples: int, margin: float) -> float:
    statistic = float(recall_score(np.array(gained), np.array(lost), examples, margin)) - EPSILON
    every_lost = np.arange(examples + 1)
    least_gained = _least_gained(every_lost, statistic, examples, margin)
    rates = (1 - margin) / 2 * np.linspace(0, 1, GRID + 1)[1:] ** 2
    return min(1.0, max(_tail(least_gained, float(rate), examples, margin) for rate in (0.0, *rates)))


def recall_score(gained: NDArray[np.integer], lost: NDArray[np.integer], examples: int, margin: float) -> Floats:
    """Return Tango's statistic, standard normal if the recall fell by exactly `margin`; large if it fell less.

    With margin 0 its square is McNemar's chi-square without a correction.
    """
    discordant, total = gained + lost, gained - lost + examples * margin
    half = discordant - margin * (gained - lost) - 2 * examples * margin
    root = np.sqrt(half.astype(np.float64) ** 2 + 8 * examples * gained * margin * (1 - margin))
    variance = examples * (2 * (half + root) / (4 * examples) + margin * (1 - margin))
    statistic: Floats = total / np.sqrt(np.maximum(variance, 1e-12))
    return statistic


def _least_gained(lost: NDArray[np.int64], statistic: float, examples: int, margin: float) -> NDArray[np.int64]:
    """Return for each `lost` the least `gained` that reaches the statistic, which grows with it; examples + 1: none."""
    low, high = np.zeros_like(lost), np.full_like(lost, examples + 1)
    while np.any(low < high):
        middle = (low + high) // 2
        reached = recall_score(middle, lost, examples, margin) >= statistic
        low, high = np.where(reached | (low >= high), low, middle + 1), np.where(reached, middle, high)
    return np.where(low + lost > examples, examples + 1, low)


def _tail(least_gained: NDArray[np.int64], rate: float, examples: int, margin: float) -> float:
    """Return the probability of the tail, if `rate` of the examples are gained and `rate + margin` are lost."""
    share = rate + margin
    spread = TAIL * math.sqrt(examples * share * (1 - share)) + TAIL
    first, last = max(0, int(examples * share - spread)), min(examples, int(examples * share + spread) + 1)
    lost = np.arange(first, last + 1)
    least = least_gained[first : last + 1]
    rest = examples - lost
    conditional = rate / (1 - share) if share < 1 else 0.0
    gained = np.where(least <= 0, 1.0, bdtrc(np.minimum(np.maximum(least - 1, 0), rest), rest, min(conditional, 1.0)))
    gained = np.where(least > rest, 0.0, gained)
    return float((_binomial(lost, examples, share) * gained).sum())


def _binomial(successes: NDArray[np.int64], trials: int, share: float) -> Floats:
    """Return the probabilities of these numbers of successes."""
    ways = gammaln(trials + 1) - gammaln(successes + 1) - gammaln(trials - successes + 1)
    probabilities: Floats = np.exp(ways + xlogy(successes, share) + xlog1py(trials - successes, -share))
    return probabilities


def recall_examples_needed(recall: PairedRecall, margin: float, level: float) -> int | None:
    """Return the examples of the class that would rule out the fall, if both models stay as they are; None if none do.

    The statistic of unchanged rates grows with the square root of the examples.
    """
    measured = float(recall_score(np.array(recall.gained), np.array(recall.lost), recall.examples, margin))
    if recall.examples == 0 or measured <= 0:
        return None
    needed = math.ceil(recall.examples * (float(ndtri(1 - level)) / measured) ** 2)
    return max(needed, recall.examples + 1) if needed <= MAX_EXAMPLES else None
