"""What runs have measured, as the sections of a report receive it. Pure: `mhc.analysis` reads it from the folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from mhc.record import RunRecord
from mhc.statistics.estimates import Interval

Floats = NDArray[np.float64]


class Reliability(NamedTuple):
    """Confidence against accuracy in bins of equal width, each of shape [bins]; 0 in empty bins."""

    confidence: Floats
    accuracy: Floats
    rows: NDArray[np.int64]
    error: float
    """The expected calibration error."""


class Threshold(NamedTuple):
    """One class, flagged if its probability is at least some threshold; each of shape [thresholds]."""

    label: str
    thresholds: Floats
    precision: Floats
    """nan if nothing is flagged."""
    recall: Floats


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A row that the model labels otherwise than the data."""

    place: int
    """In the evidence, from 0."""
    id: str
    """The keyed hash of the text, in hexadecimal."""
    label: str
    predicted: str
    confidence: float
    """Probability of the predicted label."""
    of_label: float
    """Probability of the label."""
    suspect: bool
    """Whether the label itself may be wrong."""


class Mistakes(msgspec.Struct, frozen=True, kw_only=True):
    """The mistakes on a split."""

    rows: int
    wrong: int
    suspects: int
    """Rows whose label may be wrong."""
    pairs: Sequence[tuple[str, str, int]]
    """Label, predicted label and number of rows, most frequent first."""
    listed: Sequence[Mistake]
    """The most confident ones, most confident first."""


class SplitScores(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence of a split shows in detail."""

    counts: NDArray[np.int64]
    """[k, k], rows are true classes."""
    labels: Sequence[str]
    recall: Sequence[Interval | None]
    before: Reliability
    after: Reliability | None
    """At the temperature of validation; None without evidence of validation."""
    temperature: float | None
    thresholds: Sequence[Threshold]
    mistakes: Mistakes


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    record: RunRecord
    """With the derived status."""
    location: str
    label: str = ""
    """What tells it from the other runs: `lr=0.003 seed=2`."""
    f1: Mapping[str, Interval] = {}
    """Macro-F1 with its interval, by split; missing without evidence."""
    curves: Mapping[str, Sequence[tuple[int, float]]] = {}
    """Steps and values by the name of the metric: `val/f1_macro`."""
    splits: Mapping[str, SplitScores] = {}
    """Details, of some runs only."""
    archived: str = ""
    """When and why it was moved to an archive."""
    objection: str = ""
    """Why a candidate would not be promoted now."""
    seconds: float | None = None
    """From start to end."""

    def score(self, split: str) -> float | None:
        """Return the recorded macro-F1."""
        metrics = getattr(self.record.metrics, split)
        return None if metrics is None else metrics.f1_macro

    @property
    def rows(self) -> int | None:
        """Rows of train that were used."""
        data = self.record.data
        train = data.splits.get("train") if data else None
        return train.rows if train else None


class SweepResult(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a sweep by what was varied."""

    id: str
    runs: Sequence[RunResult]
    names: Sequence[str]
    values: Sequence[Sequence[object]]
    """One list per run, in the order of `names`."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report shows."""

    title: str
    made: str
    runs: Sequence[RunResult]
    """Newest first."""
    data_sets: Mapping[str, Sequence[RunResult]]
    """By the data they were scored on; in each the best on validation first, those without a score last."""
    sweeps: Sequence[SweepResult] = ()
    detailed: Sequence[RunResult] = ()
    """The runs whose details are shown."""
    history: Sequence[str] = ()
    """What was done in production, oldest first: one sentence each."""
    champions: Sequence[str] = ()
    remarks: Sequence[str] = ()
    """What could not be read."""
