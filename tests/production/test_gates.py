"""The gates alone: inputs in, verdicts out."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from mhc.production import gates
from mhc.production.decision import Baseline, GateInputs, Scores
from mhc.production.paired_comparison import Comparison
from mhc.production.statistics import Interval, wilson
from mhc.record import Gate, Lineage
from tests.support.builders import LABELS, a_record, data_facts
from tests.support.promotions import policy

PASSED, FAILED, UNKNOWN = gates.PASSED, gates.FAILED, gates.UNKNOWN


def an_interval(point: float, half_width: float = 0.05, examples: int = 400) -> Interval:
    return Interval(point=point, low=point - half_width, high=point + half_width, confidence=0.95, examples=examples)


def a_comparison(difference: float = 0.05, low: float = 0.01, high: float = 0.09, **changes: Any) -> Comparison:
    comparison = Comparison(
        examples=400,
        discordant=80,
        incumbent_f1_macro=0.6,
        challenger_f1_macro=0.6 + difference,
        difference=difference,
        low=low,
        high=high,
        level=0.05,
        picked_from=1,
        accuracy_difference=difference,
        mcnemar_p=0.03,
    )
    return replace(comparison, **changes)


def scores(**changes: Any) -> Scores:
    values = Scores(
        examples=400,
        accuracy=an_interval(0.65),
        f1_macro=an_interval(0.62),
        recall=dict.fromkeys(LABELS, wilson(62, 100, 0.95)),
        ece=0.05,
        ece_before=0.1,
        temperature=1.3,
    )
    return replace(values, **changes)


def inputs(**changes: Any) -> GateInputs:
    values = GateInputs(
        record=a_record(),
        scores=scores(),
        reference=Baseline(name="the majority class", comparison=a_comparison(0.4, 0.3, 0.5)),
        champion=None,
        checkpoint_flaw=None,
        near_copies=0,
    )
    return replace(values, **changes)


def verdict(name: str, values: GateInputs, policy_name: str = "default", **changes: Any) -> Gate:
    [gate] = [gate for gate in gates.judge(values, policy(policy_name, **changes)) if gate.name == name]
    return gate


def test_good_run_passes_every_gate() -> None:
    assert {gate.verdict for gate in gates.judge(inputs(), policy())} == {PASSED}


def test_every_verdict_has_a_reason_and_a_purpose() -> None:
    assert all(gate.why and gate.reason for gate in gates.judge(inputs(), policy()))


def test_gates_without_measurements_are_not_passed() -> None:
    bare = GateInputs(record=replace(a_record(), data=None, category=None, lineage=Lineage(), checkpoint=None))
    assert {gate.name for gate in gates.judge(bare, policy()) if gate.verdict == PASSED} == {"completed"}


@pytest.mark.parametrize(
    ("point", "half_width", "policy_name", "expected"),
    [
        (0.55, 0.05, "default", PASSED),
        (0.5499, 0.05, "default", FAILED),
        (0.65, 0.05, "strict", PASSED),
        (0.58, 0.05, "strict", UNKNOWN),
        (0.45, 0.05, "strict", FAILED),
        (0.61, 0.05, "strict", PASSED),
    ],
)
def test_accuracy_is_judged_on_the_point_or_on_the_lower_bound(
    point: float, half_width: float, policy_name: str, expected: str
) -> None:
    assert (
        verdict("accuracy", inputs(scores=scores(accuracy=an_interval(point, half_width))), policy_name).verdict
        == expected
    )


def test_too_small_test_set_states_the_number_needed() -> None:
    gate = verdict("accuracy", inputs(scores=scores(accuracy=wilson(24, 40, 0.95))))
    assert gate.verdict == PASSED
    assert "too small to tell them apart; about" in gate.reason
    assert "too small" not in verdict("accuracy", inputs(scores=scores(accuracy=wilson(600, 800, 0.95)))).reason


@pytest.mark.parametrize(
    ("right", "high_risk", "expected"),
    [(20, [], PASSED), (19, [], FAILED), (39, ["suicidal"], FAILED), (40, ["suicidal"], PASSED)],
)
def test_each_class_has_a_floor_and_high_risk_has_its_own(right: int, high_risk: list[str], expected: str) -> None:
    recall = dict.fromkeys(LABELS, wilson(62, 100, 0.95)) | {"suicidal": wilson(right, 100, 0.95)}
    record = a_record(data=data_facts(high_risk=high_risk))
    assert verdict("recall.suicidal", inputs(record=record, scores=scores(recall=recall))).verdict == expected


def test_class_without_a_test_row_is_not_enough_evidence() -> None:
    recall = dict.fromkeys(LABELS, wilson(62, 100, 0.95)) | {"normal": None}
    gate = verdict("recall.normal", inputs(scores=scores(recall=recall)))
    assert (gate.verdict, gate.reason) == (UNKNOWN, "the test split has no row of normal")


@pytest.mark.parametrize(
    ("difference", "low", "high", "policy_name", "expected"),
    [
        (0.05, 0.01, 0.09, "default", PASSED),
        (0.0, -0.02, 0.02, "default", FAILED),
        (0.02, -0.01, 0.05, "default", PASSED),
        (0.02, -0.01, 0.05, "strict", UNKNOWN),
        (-0.05, -0.09, -0.01, "strict", FAILED),
        (0.05, 0.01, 0.09, "strict", PASSED),
    ],
)
def test_reference_has_to_be_beaten(
    difference: float, low: float, high: float, policy_name: str, expected: str
) -> None:
    baseline = Baseline(name="linear_x", comparison=a_comparison(difference, low, high))
    assert verdict("better_than_reference", inputs(reference=baseline), policy_name).verdict == expected


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [
        (0.05, 0.01, 0.09, PASSED),
        (0.0, -0.019, 0.02, PASSED),
        (0.0, 0.0, 0.0, PASSED),
        (0.01, -0.04, 0.06, UNKNOWN),
        (-0.01, -0.05, 0.03, UNKNOWN),
        (-0.03, -0.09, 0.03, FAILED),
        (-0.015, -0.03, -0.001, FAILED),
    ],
)
def test_loss_to_the_champion_is_limited_by_the_margin(
    difference: float, low: float, high: float, expected: str
) -> None:
    baseline = Baseline(name="v1", comparison=a_comparison(difference, low, high))
    assert verdict("not_worse_than_champion", inputs(champion=baseline)).verdict == expected


def test_strict_policy_accepts_no_loss() -> None:
    baseline = Baseline(name="v1", comparison=a_comparison(0.01, -0.01, 0.03))
    assert verdict("not_worse_than_champion", inputs(champion=baseline), "strict").verdict == UNKNOWN


def test_champion_on_another_test_set_is_not_enough_evidence() -> None:
    gate = verdict("not_worse_than_champion", inputs(champion=Baseline(name="v1", flaw="another test set")))
    assert (gate.verdict, gate.reason) == (UNKNOWN, "compared with the champion v1: another test set")


def test_reason_states_the_best_of_many() -> None:
    baseline = Baseline(name="v1", comparison=a_comparison(level=0.0025, picked_from=20))
    assert (
        "at level 0.0025, the best of 20 runs" in verdict("not_worse_than_champion", inputs(champion=baseline)).reason
    )


@pytest.mark.parametrize(("copies", "expected"), [(0, PASSED), (20, PASSED), (21, FAILED), (None, UNKNOWN)])
def test_near_copies_are_a_share_of_the_test_rows(copies: int | None, expected: str) -> None:
    assert verdict("no_leakage", inputs(near_copies=copies)).verdict == expected


@pytest.mark.parametrize(
    ("f1", "answer", "expected"),
    [(0.994, "", PASSED), (0.995, "", UNKNOWN), (1.0, " ", UNKNOWN), (1.0, "labels made by a rule", PASSED)],
)
def test_perfect_result_needs_an_answer(f1: float, answer: str, expected: str) -> None:
    values = inputs(scores=scores(f1_macro=an_interval(f1)), answers={"plausible": answer})
    assert verdict("plausible", values).verdict == expected


@pytest.mark.parametrize(("ece", "expected"), [(0.15, PASSED), (0.151, FAILED), (None, UNKNOWN)])
def test_calibration_is_judged_at_the_temperature(ece: float | None, expected: str) -> None:
    assert verdict("calibration", inputs(scores=scores(ece=ece))).verdict == expected


@pytest.mark.parametrize(
    ("dirty", "has_diff", "policy_name", "expected"),
    [
        (False, False, "default", PASSED),
        (True, True, "default", PASSED),
        (True, False, "default", FAILED),
        (True, True, "strict", FAILED),
    ],
)
def test_code_is_clean_or_its_changes_are_recorded(
    dirty: bool, has_diff: bool, policy_name: str, expected: str
) -> None:
    record = a_record(lineage=Lineage(git_commit="a" * 40, git_dirty=dirty))
    assert verdict("git_state", inputs(record=record, has_diff=has_diff), policy_name).verdict == expected


def test_flag_names_every_gate_that_was_not_passed() -> None:
    promotion = gates.flag(inputs(near_copies=None, checkpoint_flaw="it is gone"), policy(), "default")
    assert promotion.candidate is False
    assert promotion.reason == (
        "checkpoint failed: it is gone; "
        "no_leakage not enough evidence: near copies between train and test were not counted"
    )
