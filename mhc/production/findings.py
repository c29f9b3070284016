"""What was measured of a run before the gates judge it. Pure structs; `None` always means: not measured."""

from __future__ import annotations

import msgspec

from mhc.production.comparison import Comparison
from mhc.production.statistics import Interval
from mhc.runs.record import RunRecord


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The test split by the run's evidence."""

    examples: int
    accuracy: Interval
    f1_macro: Interval
    recall: dict[str, Interval | None]
    """By label; None for a label without a test row."""
    ece: float | None
    """Expected calibration error at the temperature; None without evidence of validation to fit one on."""
    ece_before: float
    """The same at temperature 1."""
    temperature: float | None


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to be compared with: the reference, or the champion."""

    name: str
    """Of the run or the bundle; "the majority class"."""
    comparison: Comparison | None = None
    flaw: str = ""
    """Why there is no comparison: half a sentence, with what to do."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gates need to know of one run."""

    record: RunRecord
    scores: Scores | None = None
    scores_flaw: str = "the test split was not scored"
    """Why there are no scores."""
    reference: Rival | None = None
    champion: Rival | None = None
    """None: the task has no champion yet."""
    checkpoint_flaw: str | None = "its checkpoint was not looked at"
    """None: whole, with the sha256 on record."""
    diff_kept: bool = False
    """Whether the diff of a dirty tree really lies beside the run."""
    near_copies: int | None = None
    """Test rows that are near or exact copies of a train row."""
    answers: dict[str, str] = {}
    """What a person answered to a gate that asks: by gate name."""
