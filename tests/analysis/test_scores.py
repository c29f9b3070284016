"""What the evidence shows: checked against counting by hand."""

from __future__ import annotations

import numpy as np

from mhc.analysis import scores
from mhc.runs.evidence import Evidence

PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.55, 0.45]], np.float32)
LABELS = np.array([0, 1, 1, 1, 0])


def evidence(probabilities: np.ndarray = PROBABILITIES, labels: np.ndarray = LABELS) -> Evidence:
    ids = np.zeros((len(labels), 16), np.uint8)
    return Evidence(ids=ids, labels=labels, probabilities=probabilities, label_names=["calm", "crisis"])


def test_counts_and_recalls_are_those_of_the_rows() -> None:
    details = scores.split_scores(evidence(), None, [])
    assert details.counts.tolist() == [[2, 0], [1, 2]]
    assert [recall.point for recall in details.recall if recall] == [1.0, 2 / 3]
    assert details.after is None
    assert list(details.thresholds) == []


def test_threshold_curve_counts_what_is_flagged() -> None:
    [curve] = scores.split_scores(evidence(), None, ["crisis"]).thresholds
    place = int(np.argmin(np.abs(curve.thresholds - 0.42)))
    assert (curve.label, curve.recall[place], curve.precision[place]) == ("crisis", 2 / 3, 2 / 3)
    assert curve.recall[0] == 1.0
    assert np.isnan(curve.precision[-1])  # nothing is flagged


def test_temperature_changes_confidence_and_not_the_counts() -> None:
    plain, calibrated = (scores.split_scores(evidence(), temperature, []) for temperature in (None, 4.0))
    assert calibrated.after is not None
    assert calibrated.after.error != plain.before.error
    assert calibrated.counts.tolist() == plain.counts.tolist()
    assert calibrated.before.error == plain.before.error


def test_interval_contains_the_score_and_is_repeatable() -> None:
    first, second = scores.f1_interval(evidence()), scores.f1_interval(evidence())
    assert first == second
    assert first is not None
    assert first.low < first.point < first.high
    assert scores.f1_interval(evidence(PROBABILITIES[:0], LABELS[:0])) is None
