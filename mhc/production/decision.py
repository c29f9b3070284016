"""The decision on a promotion: request, inputs of the gates, their verdicts, content of `promotion.json`. Pure.

A verdict is passed, failed, or not enough evidence, with its reason and with what would change it.

The fields of `PromotionRecord` and of the structs in it are those of the file `promotion.json`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from mhc import redaction, user_text
from mhc.policy import Judged
from mhc.production.state import CHAMPION
from mhc.record import Gate, RunRecord
from mhc.statistics import estimates
from mhc.statistics.estimates import Interval
from mhc.statistics.paired_comparison import Comparison, PairedRecall
from mhc.terminal import quantity

PASSED, FAILED, UNKNOWN = "passed", "failed", "not enough evidence"
UNSCORED = "the evidence of the whole test split: python -m mhc.evaluate run=ID split=test"
"""Remedy of the gates that need scores."""


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
    labels: dict[str, str] = {}
    """The user's answers if the champion has other labels: see `mhc.production.baselines`."""
    task: str | None = None
    """Name or id of the task, or the name of a new one; None: the labels and the data tell."""


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
    recalls: dict[str, PairedRecall] = {}
    """By the label of the champion: both models on each class that both know."""
    high_risk: list[str] = []
    """Labels of the champion that its data, or that of the run, marks as high-risk."""
    labels: dict[str, str] = {}
    """The champion's label of each label of the run that both know; empty if they have the same labels."""


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
    """Whether all uncommitted changes of code are in the run's folder."""
    near_copies: int | None = None
    """Number of test rows that are near or exact copies of a train row."""
    most_repeated: int | None = None
    """Number of test rows that have the most frequent text."""
    answers: dict[str, str] = {}
    """The user's answers to the gates that require one: by gate name."""
    task: str = ""
    """Id of the run's task."""


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
    policy: dict[str, object]
    """The `PromotionPolicy` as plain values: an earlier or later version of mhc may have had other fields."""
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
    task_name: str = ""
    label_map: dict[str, str] = {}
    """The user's answers, if the champion had other labels."""


def checked(request: Request) -> Request:
    """Return a request whose texts can be recorded: with credentials masked.

    Raises:
        BadInput: if the author or the reason is missing or invalid, or an answer is invalid.
    """
    user_text.require_author("A promotion, forced or not,", request.by, request.reason)
    for gate, answer in request.answers.items():
        user_text.check_line("The name of a gate (--answer)", gate)
        user_text.check_lines(f"The answer to {gate}", answer)
    for label, answer in request.labels.items():
        user_text.check_line("A label (--labels)", f"{label}={answer}")
    answers = {gate: redaction.text(answer) for gate, answer in request.answers.items()}
    by, reason = redaction.text(request.by), redaction.text(request.reason)
    return msgspec.structs.replace(request, by=by, reason=reason, answers=answers)


def encode(record: PromotionRecord) -> bytes:
    """Return the bytes of `promotion.json`: indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def verdict(
    name: str,
    outcome: str,
    reason: str,
    why: str,
    remedy: str = "",
    *,
    measured: float | None = None,
    threshold: float | None = None,
) -> Gate:
    """Return the verdict of a gate; one that is passed has no remedy."""
    return Gate(
        name=name,
        verdict=outcome,
        reason=reason,
        measured=measured,
        threshold=threshold,
        why=why,
        remedy="" if outcome == PASSED else remedy,
    )


def pass_or_fail(name: str, reason: str, why: str, remedy: str, *, passed: bool) -> Gate:
    """Return passed or failed."""
    return verdict(name, PASSED if passed else FAILED, reason, why, remedy)


def unknown(name: str, reason: str, why: str, remedy: str, threshold: float | None = None) -> Gate:
    """Return that there is not enough evidence."""
    return verdict(name, UNKNOWN, reason, why, remedy, threshold=threshold)


def at_least(
    name: str, interval: Interval, threshold: float, judged_on: Judged, why: str, subject: str, rows: str = "test rows"
) -> Gate:
    """Compare the point, or the lower bound, with a minimum; `rows` names what more of would narrow the interval."""
    measured = interval.point if judged_on == "point" else interval.low
    outcome = PASSED if measured >= threshold else FAILED
    if outcome == FAILED and judged_on == "lower_bound" and interval.high >= threshold:
        outcome = UNKNOWN
    counted = quantity(interval.examples, "example")
    bounds = f"{interval.confidence:.0%} interval {interval.low:.3f} to {interval.high:.3f}, {counted}"
    too_small = _too_small(interval, threshold)
    reason = f"{subject} {interval.point:.3f} ({bounds}), at least {threshold:g}{too_small}"
    remedy = _remedy(interval, threshold, rows)
    return verdict(name, outcome, reason, why, remedy, measured=measured, threshold=threshold)


def _too_small(interval: Interval, threshold: float) -> str:
    if not interval.low < threshold <= interval.high:
        return ""
    needed = estimates.examples_needed(interval, threshold)
    number = f"; about {needed:,} would be needed" if needed else ""
    return f" (the test set is too small to tell them apart{number})"


def _remedy(interval: Interval, threshold: float, rows: str) -> str:
    if interval.high < threshold:
        return "a better model; more test rows would not help, because the whole interval is below the minimum"
    needed = estimates.examples_needed(interval, threshold)
    if needed is None:
        return f"a better model; no number of {rows} tells the value from the minimum"
    if interval.point >= threshold:
        return f"about {needed:,} {rows} with the same value, or a better model"
    return f"a better model; on about {needed:,} {rows} the same value would be clearly below the minimum"


def better_model(*, more_rows: int | None, rows: str) -> str:
    """Return the remedy of a comparison: a number of rows at which unchanged results would pass, or a better model."""
    if more_rows is None:
        return f"a better model; more {rows} with the same results would not help"
    return f"about {more_rows:,} {rows} with the same results, or a better model"
