"""Mistakes: the most confident first, by class, by length, and those whose label is suspect."""

from __future__ import annotations

import numpy as np

from mhc.analysis.data_rows import LengthGroup, by_length
from mhc.analysis.mistakes import mistakes_of
from mhc.runs.evidence import Evidence
from mhc.statistics.suspect_labels import suspected_labels

NAMES = ["calm", "crisis"]
LABELS = np.array([0, 0, 0, 1, 1, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.4, 0.6], [0.05, 0.95], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]], np.float32)


def split(probabilities: np.ndarray = PROBABILITIES, labels: np.ndarray = LABELS) -> Evidence:
    ids = np.arange(len(labels) * 16, dtype=np.uint8).reshape(-1, 16)
    return Evidence(ids=ids, labels=labels, probabilities=probabilities, label_names=NAMES)


def test_most_confident_mistake_is_the_first() -> None:
    found = mistakes_of(split(), None, 0)
    assert (found.rows, found.wrong) == (6, 3)
    assert [(one.place, one.label, one.predicted) for one in found.listed] == [
        (2, "calm", "crisis"), (4, "crisis", "calm"), (1, "calm", "crisis"),
    ]  # fmt: skip
    assert [round(one.confidence, 2) for one in found.listed] == [0.95, 0.7, 0.6]
    assert found.pairs == [("calm", "crisis", 2), ("crisis", "calm", 1)]


def test_limit_shortens_the_list_and_not_the_counts() -> None:
    found = mistakes_of(split(), None, 1)
    assert (len(found.listed), found.wrong, len(found.pairs)) == (1, 3, 2)


def test_temperature_changes_probabilities_and_not_the_order() -> None:
    plain, calibrated = mistakes_of(split(), None, 0), mistakes_of(split(), 2.0, 0)
    assert [one.place for one in plain.listed] == [one.place for one in calibrated.listed]
    assert calibrated.listed[0].confidence < plain.listed[0].confidence


def test_label_is_suspect_if_another_is_as_probable_as_usual() -> None:
    # crisis is given with 0.8, 0.3 and 0.9: 0.67 on average, which row 2 exceeds and row 1 does not;
    # calm with 0.9, 0.4 and 0.05: 0.45 on average, which row 4 exceeds
    assert suspected_labels(LABELS, PROBABILITIES).tolist() == [0, 0, 1, 1, 0, 1]
    assert [one.suspect for one in mistakes_of(split(), None, 0).listed] == [True, True, False]


def test_label_without_rows_is_never_suspected() -> None:
    assert suspected_labels(np.zeros(6, np.int64), PROBABILITIES).tolist() == [0] * 6


def test_split_without_rows_has_no_mistakes() -> None:
    found = mistakes_of(split(PROBABILITIES[:0], LABELS[:0]), None, 0)
    assert (found.rows, found.wrong, list(found.listed)) == (0, 0, [])
    assert by_length([], np.zeros(0, bool)) == []


def test_lengths_are_in_groups_that_share_no_length() -> None:
    texts = ["a"] * 6 + ["a b"] * 2 + ["a b c"] * 4
    assert by_length(texts, np.arange(12) < 7) == [LengthGroup(1, 1, 6, 6), LengthGroup(2, 3, 6, 1)]
