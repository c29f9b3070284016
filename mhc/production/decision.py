"""The decision on a promotion: the request, the inputs of the gates, and the content of `promotion.json`. Pure structs.

The fields of `PromotionRecord` and of the structs in it are those of the file `promotion.json`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from mhc.policy import PromotionPolicy
from mhc.production.paired_comparison import Comparison
from mhc.production.state import CHAMPION
from mhc.production.statistics import Interval
from mhc.record import Gate, RunRecord


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion as the user requests it."""

    run: Path
    """The run's folder."""
    by: str
    reason: str
    name: str | None = None
    """None: `<name of the run>_v<N>`."""
    alias: str | None = CHAMPION
    """The alias that will point to the bundle; None: no alias."""
    force: bool = False
    onnx: bool = False
    """Whether a `model.onnx` is added to the bundle."""
    answers: dict[str, str] = {}
    """Answers to the gates that require one: by gate name."""


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements on the test split, from the run's evidence."""

    examples: int
    accuracy: Interval
    f1_macro: Interval
    recall: dict[str, Interval | None]
    """By label; None for a label without a test row."""
    ece: float | None
    """Expected calibration error at the temperature; None without evidence of validation to fit the temperature on."""
    ece_before: float
    """Expected calibration error at temperature 1."""
    temperature: float | None


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the run is compared with: the reference, or the champion."""

    name: str
    """Name of the run or the bundle, or "the majority class"."""
    comparison: Comparison | None = None
    flaw: str = ""
    """Reason for a missing comparison, as half a sentence with the remedy."""


class GateInputs(msgspec.Struct, frozen=True, kw_only=True):
    """All inputs of the gates for one run."""

    record: RunRecord
    scores: Scores | None = None
    scores_flaw: str = "the test split was not scored"
    """Reason for missing scores."""
    reference: Baseline | None = None
    champion: Baseline | None = None
    """None: the task has no champion yet."""
    checkpoint_flaw: str | None = "its checkpoint was not checked"
    """None: the checkpoint is complete and has the recorded sha256."""
    has_diff: bool = False
    """Whether the diff of a dirty tree is in the run's folder."""
    near_copies: int | None = None
    """Number of test rows that are near or exact copies of a train row."""
    answers: dict[str, str] = {}
    """The user's answers to the gates that require one: by gate name."""


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The newest ledger entry at the time when the bundle was built: the ledger must still have it."""

    seq: int
    head: str


class ConsistencyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Result of comparing the bundle's probabilities with those of the run."""

    examples: int
    """Number of test examples that were scored again; 0 if their texts could not be read."""
    largest_gap: float | None = None
    """Largest difference between the bundle's probabilities and those of the run's own network."""
    mean_gap_to_evidence: float | None = None
    """Mean difference to the evidence, which may have been scored in a lower precision."""
    by: str = ""
    """The software that scored the bundle: "transformers alone" or "mhc"."""
    flaw: str = ""
    """Reason why the bundle could not be checked."""


class PromotionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The whole decision: the content of `promotion.json`."""

    name: str
    task: str
    labels: list[str]
    run: str
    at: str
    by: str
    why: str
    """The reason of the request."""
    forced: bool
    policy_name: str
    policy: PromotionPolicy
    gates: list[Gate]
    answers: dict[str, str]
    scores: Scores | None
    reference: Baseline | None
    champion: Baseline | None
    standalone: bool = False
    """Whether transformers alone can load the bundle."""
    max_tokens: int = 0
    proof: ConsistencyCheck = ConsistencyCheck(examples=0)
    ledger: Anchor


def encode(record: PromotionRecord) -> bytes:
    """Return the bytes of `promotion.json`: indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
