"""Two models on the same examples: is the one better, or at least not worse? Pure numpy and scipy.

The joint table here is [k, k, k] counts: true class, what the incumbent said, what the challenger said. It holds all
that macro-F1 and accuracy of both models need, and keeps the pairing: two models err on the same hard examples.
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
    """Examples on which the two said something else."""
    incumbent_f1_macro: float
    challenger_f1_macro: float
    difference: float
    """Of macro-F1."""
    low: float
    """Lower bound of the difference, one-sided at `level`: what can be claimed after the picking."""
    high: float
    """Upper bound, one-sided at the uncorrected level."""
    level: float
    """One-sided error level of `low`, after the correction."""
    picked_from: int
    """How many runs the challenger was picked from; the correction is for this number."""
    accuracy_difference: float
    mcnemar_p: float
    """Exact, two-sided, of accuracy; without a correction."""

    @property
    def better(self) -> bool:
        """Whether the challenger is shown to be better, at the level."""
        return self.low > 0


def joint_table(
    labels: NDArray[np.integer], incumbent: NDArray[np.integer], challenger: NDArray[np.integer], classes: int
) -> Counts:
    """Count [k, k, k] from true classes and both predictions, all [n]."""
    flat = (labels.astype(np.int64) * classes + incumbent) * classes + challenger
    return np.bincount(flat, minlength=classes**3).reshape(classes, classes, classes)


def corrected_level(level: float, picked_from: int) -> float:
    """Bonferroni: level / N. The best of N beats the incumbent by chance at most as often as any of the N does.

    Holds however the N runs depend on each other (they share the test set and often the data), which Sidak's slightly
    larger level does not in general; a max-statistic bootstrap is sharper but needs the evidence of all N.
    """
    return level / max(picked_from, 1)


def mcnemar(only_incumbent: int, only_challenger: int) -> float:
    """Exact two-sided p of McNemar's test: the examples that one model alone got right are a fair coin's tosses.

    Q. McNemar, Psychometrika 12, 1947; the exact form is the binomial test, as statsmodels' `mcnemar(exact=True)`.
    """
    total = only_incumbent + only_challenger
    return min(1.0, 2 * float(bdtr(min(only_incumbent, only_challenger), total, 0.5))) if total else 1.0


def compare(joint: Counts, level: float, picked_from: int, resamples: int, rng: np.random.Generator) -> Comparison:
    """Bound the difference of macro-F1 from a joint table [k, k, k], and test accuracy by McNemar."""
    values = joint.astype(np.float64)
    difference, error = difference_of_f1(values)
    low_level = corrected_level(level, picked_from)
    low, high = _bounds(joint, float(difference), float(error), (low_level, level), resamples, rng)
    incumbent, challenger = values.sum(2), values.sum(1)
    only = _right_alone(joint)
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
        mcnemar_p=mcnemar(*only),
    )


def difference_of_f1(joint: Floats) -> tuple[Floats, Floats]:
    """Difference of macro-F1 and its standard error by the delta method, for joint tables [..., k, k, k]."""
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
    """One-sided bounds: the more careful of a paired, stratified, studentised bootstrap and Student's t.

    In the far tails that a correction for best-of-N asks for, a bootstrap of few discordant examples is too sure of
    itself; Student's t with (discordant - 1) degrees of freedom is not. As macro-F1 moves in steps of about one
    example, both bounds are moved outwards by half a step (A. Edwards, Psychometrika 13, 1948, for McNemar's test).
    Measured in tests/production/test_coverage.py.
    """
    discordant = _discordant(joint)
    if discordant == 0:
        return difference, difference
    freedom = max(discordant - 1, 1)
    drawn, errors = difference_of_f1(resample_rows(joint, resamples, rng))
    studentised = (drawn - difference) / np.maximum(errors, error / 5)
    below = min(-float(np.quantile(studentised, 1 - levels[0])), float(stdtrit(freedom, levels[0])))
    above = max(-float(np.quantile(studentised, levels[1])), float(stdtrit(freedom, 1 - levels[1])))
    half_a_step = 0.5 / float(joint.sum())
    low = difference + below * error - half_a_step
    return max(-1.0, low), min(1.0, difference + above * error + half_a_step)


def _discordant(joint: Counts) -> int:
    return int(joint.sum() - np.einsum("cii->", joint))


def _right_alone(joint: Counts) -> tuple[int, int]:
    """Examples that the incumbent alone, and that the challenger alone, got right."""
    classes = np.arange(len(joint))
    both = int(joint[classes, classes, classes].sum())
    return int(joint[classes, classes, :].sum()) - both, int(joint[classes, :, classes].sum()) - both
