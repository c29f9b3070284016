"""What a promotion is decided on: the inputs of the gates, and the content of `promotion.json`. Pure structs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mhc.policy import PromotionPolicy
from mhc.production.paired_comparison import Comparison
from mhc.production.state import CHAMPION
from mhc.production.statistics import Interval
from mhc.record import Gate, RunRecord


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


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to be compared with: the reference, or the champion."""

    name: str
    """Of the run or the bundle; "the majority class"."""
    comparison: Comparison | None = None
    flaw: str = ""
    """Why there is no comparison: half a sentence, with what to do."""


class GateInputs(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gates need to know of one run."""

    record: RunRecord
    scores: Scores | None = None
    scores_flaw: str = "the test split was not scored"
    """Why there are no scores."""
    reference: Baseline | None = None
    champion: Baseline | None = None
    """None: the task has no champion yet."""
    checkpoint_flaw: str | None = "its checkpoint was not looked at"
    """None: whole, with the sha256 on record."""
    diff_kept: bool = False
    """Whether the diff of a dirty tree really lies beside the run."""
    near_copies: int | None = None
    """Test rows that are near or exact copies of a train row."""
    answers: dict[str, str] = {}
    """What a person answered to a gate that asks: by gate name."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for."""

    run: Path
    """The run's folder."""
    by: str
    why: str
    name: str | None = None
    """None: `<name of the run>_v<N>`."""
    alias: str | None = CHAMPION
    """What the bundle is from now on; None: nothing."""
    force: bool = False
    onnx: bool = False
    """Whether the bundle also gets a `model.onnx`."""
    answers: dict[str, str] = {}
    """To the gates that ask: by gate name."""


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The newest ledger entry when the bundle was made: it must still be there."""

    seq: int
    head: str


class ConsistencyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How the bundle was checked against what the run had said."""

    examples: int
    """Test examples that were scored anew; 0 where their texts could not be read."""
    largest_gap: float | None = None
    """Between the bundle's probabilities and those of the run's own network."""
    mean_gap_to_evidence: float | None = None
    """To the evidence, which may have been scored in a lower precision."""
    by: str = ""
    """transformers alone, or mhc."""
    flaw: str = ""
    """Why it could not be checked."""


class PromotionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The whole decision."""

    name: str
    task: str
    labels: list[str]
    run: str
    at: str
    by: str
    why: str
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


def encode(dossier: PromotionRecord) -> bytes:
    """The bytes of `promotion.json`: indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(dossier), indent=1) + b"\n"
