"""The gates alone: findings in, verdicts out."""

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


def an_interval(point: float, half: float = 0.05, examples: int = 400) -> Interval:
    return Interval(point=point, low=point - half, high=point + half, confidence=0.95, examples=examples)


def a_comparison(difference: float = 0.05, low: float = 0.01, high: float = 0.09, **changes: Any) -> Comparison:
    found = Comparison(
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
    return replace(found, **changes)


def scores(**changes: Any) -> Scores:
    found = Scores(
        examples=400,
        accuracy=an_interval(0.65),
        f1_macro=an_interval(0.62),
        recall=dict.fromkeys(LABELS, wilson(62, 100, 0.95)),
        ece=0.05,
        ece_before=0.1,
        temperature=1.3,
    )
    return replace(found, **changes)


def findings(**changes: Any) -> GateInputs:
    found = GateInputs(
        record=a_record(),
        scores=scores(),
        reference=Baseline(name="the majority class", comparison=a_comparison(0.4, 0.3, 0.5)),
        champion=None,
        checkpoint_flaw=None,
        near_copies=0,
    )
    return replace(found, **changes)


def verdict(name: str, found: GateInputs, of: str = "default", **changes: Any) -> Gate:
    [gate] = [gate for gate in gates.judge(found, policy(of, **changes)) if gate.name == name]
    return gate


def test_good_run_passes_every_gate() -> None:
    assert {gate.verdict for gate in gates.judge(findings(), policy())} == {PASSED}


def test_every_gate_says_why_it_is_there() -> None:
    assert all(gate.why and gate.reason for gate in gates.judge(findings(), policy()))


def test_nothing_measured_passes_nothing_but_what_is_on_record() -> None:
    bare = GateInputs(record=replace(a_record(), data=None, category=None, lineage=Lineage(), checkpoint=None))
    assert {gate.name for gate in gates.judge(bare, policy()) if gate.verdict == PASSED} == {"completed"}


@pytest.mark.parametrize(
    ("point", "half", "of", "expected"),
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
    point: float, half: float, of: str, expected: str
) -> None:
    assert verdict("accuracy", findings(scores=scores(accuracy=an_interval(point, half))), of).verdict == expected


def test_test_set_that_is_too_small_says_how_many_examples_would_do() -> None:
    gate = verdict("accuracy", findings(scores=scores(accuracy=wilson(24, 40, 0.95))))
    assert gate.verdict == PASSED
    assert "too small to tell them apart; about" in gate.reason
    assert "too small" not in verdict("accuracy", findings(scores=scores(accuracy=wilson(600, 800, 0.95)))).reason


@pytest.mark.parametrize(
    ("right", "high_risk", "expected"),
    [(20, [], PASSED), (19, [], FAILED), (39, ["suicidal"], FAILED), (40, ["suicidal"], PASSED)],
)
def test_each_class_has_a_floor_and_high_risk_has_its_own(right: int, high_risk: list[str], expected: str) -> None:
    recall = dict.fromkeys(LABELS, wilson(62, 100, 0.95)) | {"suicidal": wilson(right, 100, 0.95)}
    record = a_record(data=data_facts(high_risk=high_risk))
    assert verdict("recall.suicidal", findings(record=record, scores=scores(recall=recall))).verdict == expected


def test_class_without_a_test_row_is_not_enough_evidence() -> None:
    recall = dict.fromkeys(LABELS, wilson(62, 100, 0.95)) | {"normal": None}
    gate = verdict("recall.normal", findings(scores=scores(recall=recall)))
    assert (gate.verdict, gate.reason) == (UNKNOWN, "the test split has no row of normal")


@pytest.mark.parametrize(
    ("difference", "low", "high", "of", "expected"),
    [
        (0.05, 0.01, 0.09, "default", PASSED),
        (0.0, -0.02, 0.02, "default", FAILED),
        (0.02, -0.01, 0.05, "default", PASSED),
        (0.02, -0.01, 0.05, "strict", UNKNOWN),
        (-0.05, -0.09, -0.01, "strict", FAILED),
        (0.05, 0.01, 0.09, "strict", PASSED),
    ],
)
def test_reference_has_to_be_beaten(difference: float, low: float, high: float, of: str, expected: str) -> None:
    rival = Baseline(name="linear_x", comparison=a_comparison(difference, low, high))
    assert verdict("better_than_reference", findings(reference=rival), of).verdict == expected


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
def test_champion_must_not_be_lost_by_more_than_the_margin(
    difference: float, low: float, high: float, expected: str
) -> None:
    rival = Baseline(name="v1", comparison=a_comparison(difference, low, high))
    assert verdict("not_worse_than_champion", findings(champion=rival)).verdict == expected


def test_strict_policy_takes_no_loss_at_all() -> None:
    rival = Baseline(name="v1", comparison=a_comparison(0.01, -0.01, 0.03))
    assert verdict("not_worse_than_champion", findings(champion=rival), "strict").verdict == UNKNOWN


def test_champion_on_another_test_set_is_not_enough_evidence() -> None:
    gate = verdict("not_worse_than_champion", findings(champion=Baseline(name="v1", flaw="another test set")))
    assert (gate.verdict, gate.reason) == (UNKNOWN, "compared with the champion v1: another test set")


def test_best_of_many_is_said_in_the_reason() -> None:
    rival = Baseline(name="v1", comparison=a_comparison(level=0.0025, picked_from=20))
    assert "at level 0.0025, the best of 20 runs" in verdict("not_worse_than_champion", findings(champion=rival)).reason


@pytest.mark.parametrize(("copies", "expected"), [(0, PASSED), (20, PASSED), (21, FAILED), (None, UNKNOWN)])
def test_near_copies_are_a_share_of_the_test_rows(copies: int | None, expected: str) -> None:
    assert verdict("no_leakage", findings(near_copies=copies)).verdict == expected


@pytest.mark.parametrize(
    ("f1", "answer", "expected"),
    [(0.994, "", PASSED), (0.995, "", UNKNOWN), (1.0, " ", UNKNOWN), (1.0, "labels made by a rule", PASSED)],
)
def test_perfection_asks_for_an_answer(f1: float, answer: str, expected: str) -> None:
    found = findings(scores=scores(f1_macro=an_interval(f1)), answers={"plausible": answer})
    assert verdict("plausible", found).verdict == expected


@pytest.mark.parametrize(("ece", "expected"), [(0.15, PASSED), (0.151, FAILED), (None, UNKNOWN)])
def test_calibration_is_judged_at_the_temperature(ece: float | None, expected: str) -> None:
    assert verdict("calibration", findings(scores=scores(ece=ece))).verdict == expected


@pytest.mark.parametrize(
    ("dirty", "kept", "of", "expected"),
    [
        (False, False, "default", PASSED),
        (True, True, "default", PASSED),
        (True, False, "default", FAILED),
        (True, True, "strict", FAILED),
    ],
)
def test_code_is_clean_or_its_changes_are_on_record(dirty: bool, kept: bool, of: str, expected: str) -> None:
    record = a_record(lineage=Lineage(git_commit="a" * 40, git_dirty=dirty))
    assert verdict("git_state", findings(record=record, diff_kept=kept), of).verdict == expected


def test_flag_tells_every_gate_that_was_missed() -> None:
    found = gates.flag(findings(near_copies=None, checkpoint_flaw="it is gone"), policy(), "default")
    assert found.candidate is False
    assert found.reason == (
        "checkpoint failed: it is gone; "
        "no_leakage not enough evidence: near copies between train and test were not counted"
    )
