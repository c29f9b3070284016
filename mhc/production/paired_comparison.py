"""Paired comparison of two models on the same examples: bounds on macro-F1, McNemar on accuracy. Pure numpy and scipy.

A joint table is [k, k, k] counts: true class, prediction of the incumbent, prediction of the challenger. It is
sufficient for macro-F1 and accuracy of both models, and has the pairing: two models err on the same hard examples.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtrit

from mhc.production.statistics import Counts, Floats, accuracy, f1_macro, f1_macro_influence, resample_rows


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


def difference_of_f1(joint: Floats) -> tuple[Floats, Floats]:
    """Return the difference of macro-F1 and its standard error (delta method), for joint tables [..., k, k, k]."""
    incumbent, challenger = joint.sum(-1), joint.sum(-2)
    influence = f1_macro_influence(challenger)[..., :, None, :] - f1_macro_influence(incumbent)[..., :, :, None]
    total = joint.sum((-3, -2, -1))
    variance = (joint * influence**2).sum((-3, -2, -1)) / total
    error: Floats = np.sqrt(np.maximum(variance, 0) / total)
    return f1_macro(challenger) - f1_macro(incumbent), error


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
    differences, errors = difference_of_f1(resample_rows(joint, resamples, rng))
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
