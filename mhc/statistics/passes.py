"""Scores of predictions that were made in several passes over the same rows, as in repeated cross-validation. Pure.

A further pass tells more of the training, but no more of the rows: the same people wrote the same texts. So the ends of
the intervals of the passes are averaged, and do not come closer with every pass, as they would if their predictions
were counted as further rows.

An interval of out-of-fold predictions is that of a test split of these rows. The models of two folds share most of
their rows of train, so their errors are not independent, and no interval from one cross-validation has exactly its
confidence (Y. Bengio, Y. Grandvalet, JMLR 5, 2004); it does not cover what another train split would change.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from mhc.statistics import estimates
from mhc.statistics.estimates import Interval
from mhc.statistics.paired_comparison import Comparison

Pass = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Labels [n] and probabilities [n, k] of all rows."""


def scores(passes: Sequence[Pass], confidence: float, resamples: int) -> tuple[Interval, Interval]:
    """Return accuracy and macro-F1, each the mean over the passes of its value and of the ends of its interval."""
    accuracies, f1s = [], []
    for labels, probabilities in passes:
        counts = estimates.confusion(labels, probabilities.argmax(axis=1), probabilities.shape[1])
        random = np.random.default_rng(0)  # fixed, so that the same evidence always gives the same answer
        accuracies.append(estimates.accuracy_interval(counts, confidence))
        f1s.append(estimates.f1_macro_interval(counts, confidence, resamples, random))
    return mean_interval(accuracies), mean_interval(f1s)


def mean_interval(intervals: Sequence[Interval]) -> Interval:
    """Return the mean of the values and of the ends."""
    means = {name: fmean(getattr(interval, name) for interval in intervals) for name in ("point", "low", "high")}
    return replace(intervals[0], **means)


def mean_comparison(comparisons: Sequence[Comparison]) -> Comparison:
    """Return the mean of the differences and of their bounds; p is the largest one."""
    names = ("incumbent_f1_macro", "challenger_f1_macro", "difference", "low", "high", "accuracy_difference")
    means = {name: fmean(getattr(comparison, name) for comparison in comparisons) for name in names}
    discordant = round(fmean(comparison.discordant for comparison in comparisons))
    p = max(comparison.mcnemar_p for comparison in comparisons)
    return replace(comparisons[0], **means, discordant=discordant, mcnemar_p=p)
