"""What the evidence of a split shows: intervals, confusion, reliability, threshold curves. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mhc.analysis.mistakes import mistakes_of
from mhc.model.calibration import apply_temperature
from mhc.report.results import Reliability, SplitScores, Threshold
from mhc.runs.evidence import Evidence
from mhc.statistics import estimates
from mhc.statistics.estimates import Interval

RESAMPLES = 2000
"""Of the bootstrap: the second digit of a bound depends on it by less than a hundredth."""
CONFIDENCE = 0.95
"""Of every interval."""
BINS = 15
MAX_MISTAKES = 10
"""Mistakes that a report lists."""
THRESHOLDS = np.linspace(0.01, 0.99, 99)


def f1_interval(evidence: Evidence) -> Interval | None:
    """Return macro-F1 with its interval; None without rows."""
    if not len(evidence):
        return None
    random = np.random.default_rng(0)  # fixed, so that the same evidence always gives the same interval
    return estimates.f1_macro_interval(_counts(evidence), CONFIDENCE, RESAMPLES, random)


def split_scores(evidence: Evidence, temperature: float | None, high_risk: Sequence[str]) -> SplitScores:
    """Return the details of a split; threshold curves of the high-risk classes."""
    counts = _counts(evidence)
    calibrated = None if temperature is None else apply_temperature(evidence.probabilities, temperature)
    shown = evidence.probabilities if calibrated is None else calibrated
    return SplitScores(
        counts=counts,
        labels=evidence.label_names,
        recall=estimates.recall_intervals(counts, CONFIDENCE),
        before=_reliability(evidence.probabilities, evidence.labels),
        after=None if calibrated is None else _reliability(calibrated, evidence.labels),
        temperature=temperature,
        thresholds=[
            _threshold(label, shown[:, place], evidence.labels == place)
            for place, label in enumerate(evidence.label_names)
            if label in high_risk
        ],
        mistakes=mistakes_of(evidence, temperature, MAX_MISTAKES),
    )


def _counts(evidence: Evidence) -> estimates.Counts:
    return estimates.confusion(evidence.labels, evidence.probabilities.argmax(1), len(evidence.label_names))


def _reliability(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> Reliability:
    maxima = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    places = np.minimum((maxima * BINS).astype(np.int64), BINS - 1)
    rows = np.bincount(places, minlength=BINS)
    divisor = np.maximum(rows, 1)
    return Reliability(
        confidence=np.bincount(places, maxima, BINS) / divisor,
        accuracy=np.bincount(places, correct, BINS) / divisor,
        rows=rows,
        error=estimates.expected_calibration_error(probabilities, labels, BINS),
    )


def _threshold(label: str, probabilities: NDArray[np.float32], positive: NDArray[np.bool_]) -> Threshold:
    flagged = probabilities[None, :] >= THRESHOLDS[:, None]
    hits = (flagged & positive[None, :]).sum(1).astype(np.float64)
    number = flagged.sum(1)
    return Threshold(
        label=label,
        thresholds=THRESHOLDS,
        precision=np.where(number > 0, hits / np.maximum(number, 1), np.nan),
        recall=hits / max(1, int(positive.sum())),
    )
