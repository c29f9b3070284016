"""The gates alone: inputs in, verdicts out."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from mhc.production import gates
from mhc.production.decision import Baseline, GateInputs, Scores
from mhc.record import Gate, Lineage
from mhc.statistics.estimates import Interval, wilson
from mhc.statistics.paired_comparison import Comparison, PairedRecall
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
        most_repeated=1,
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


def a_recall(gained: int = 0, lost: int = 0, examples: int = 100) -> PairedRecall:
    right = examples * 3 // 4
    return PairedRecall(
        examples=examples, incumbent_right=right, challenger_right=right + gained - lost, gained=gained, lost=lost
    )


def a_champion(recall: PairedRecall | None, **changes: Any) -> Baseline:
    values = {"comparison": a_comparison(), "high_risk": ["suicidal"]} | changes
    return Baseline(name="v1", recalls={} if recall is None else {"suicidal": recall}, **values)


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [(0, 0, PASSED), (6, 2, PASSED), (5, 5, UNKNOWN), (2, 6, UNKNOWN), (2, 7, FAILED), (0, 40, FAILED)],
)
def test_recall_of_a_high_risk_class_must_not_fall(gained: int, lost: int, expected: str) -> None:
    values = inputs(champion=a_champion(a_recall(gained, lost)))
    assert verdict("high_risk_recall.suicidal", values).verdict == expected


def test_better_macro_f1_does_not_excuse_a_fall_of_recall() -> None:
    values = inputs(champion=a_champion(a_recall(2, 42), comparison=a_comparison(0.1, 0.06, 0.14)))
    assert verdict("not_worse_than_champion", values).verdict == PASSED
    gate = verdict("high_risk_recall.suicidal", values)
    assert (gate.verdict, gate.measured, gate.threshold) == (FAILED, -0.4, -0.05)
    assert "recall of suicidal 0.350 against 0.750 of v1 on the same 100 examples (2 gained, 42 lost)" in gate.reason
    assert gate.remedy == "a better model; more test rows of suicidal with the same results would not help"


def test_high_risk_level_is_corrected_for_the_best_of_many() -> None:
    alone = inputs(champion=a_champion(a_recall(6, 2)))
    picked = inputs(champion=a_champion(a_recall(6, 2), comparison=a_comparison(picked_from=20)))
    assert verdict("high_risk_recall.suicidal", alone).verdict == PASSED
    gate = verdict("high_risk_recall.suicidal", picked)
    assert gate.verdict == UNKNOWN
    assert "at level 0.0025, the best of 20 runs" in gate.reason


def test_remedy_counts_rows_of_the_class_and_in_all() -> None:
    gate = verdict("high_risk_recall.suicidal", inputs(champion=a_champion(a_recall(4, 4))))
    assert gate.remedy.startswith("about 109 test rows of suicidal (about 436 test rows in all)")


def test_missing_evidence_of_a_high_risk_class_does_not_pass() -> None:
    gate = verdict("high_risk_recall.suicidal", inputs(champion=a_champion(None)))
    assert (gate.verdict, gate.reason) == (FAILED, "v1 knows the high-risk class suicidal, the run does not")
    assert verdict("high_risk_recall.suicidal", inputs(champion=a_champion(a_recall(examples=0)))).verdict == UNKNOWN
    assert verdict("high_risk_recall", inputs(champion=Baseline(name="v1", flaw="it is gone"))).verdict == UNKNOWN


def test_no_marked_class_is_stated_with_the_key() -> None:
    gate = verdict("high_risk_recall", inputs(champion=a_champion(a_recall(0, 40), high_risk=[])))
    assert gate.verdict == PASSED
    assert gate.reason == (
        "nothing was compared: no class is marked as high-risk; mark those that must not be missed, in training: "
        "'data.high_risk=[suicidal]' (proposed by the name)"
    )
    assert "data.high_risk" in verdict("high_risk_recall", inputs()).reason


def test_verdicts_that_are_not_passed_say_what_would_change_it() -> None:
    bare = GateInputs(record=replace(a_record(status="failed"), data=None, category=None, lineage=Lineage()))
    low = inputs(
        scores=scores(accuracy=wilson(20, 100, 0.95), f1_macro=an_interval(0.4), ece=0.3),
        champion=a_champion(a_recall(0, 40), comparison=a_comparison(-0.1, -0.2, 0.0)),
        reference=Baseline(name="linear_x", comparison=a_comparison(-0.1, -0.2, 0.0)),
        near_copies=900,
    )
    gates_not_passed = [gate for values in (bare, low) for gate in gates.refusals(gates.judge(values, policy()))]
    assert len(gates_not_passed) > 15
    assert all(gate.remedy for gate in gates_not_passed)
    assert not any(gate.remedy for gate in gates.judge(inputs(), policy()))


def test_remedy_of_the_champion_gate_counts_test_rows() -> None:
    baseline = Baseline(name="v1", comparison=a_comparison(0.01, -0.05, 0.07))
    gate = verdict("not_worse_than_champion", inputs(champion=baseline))
    assert gate.remedy == "about 1,600 test rows with the same results, or a better model"


@pytest.mark.parametrize(("copies", "expected"), [(0, PASSED), (20, PASSED), (21, FAILED), (None, UNKNOWN)])
def test_near_copies_are_a_share_of_the_test_rows(copies: int | None, expected: str) -> None:
    assert verdict("no_leakage", inputs(near_copies=copies)).verdict == expected


@pytest.mark.parametrize(
    ("placeholders", "most_repeated", "expected"),
    [(0, 1, PASSED), (20, 50, PASSED), (21, 1, FAILED), (0, 51, FAILED), (None, 1, PASSED), (0, None, UNKNOWN)],
)
def test_test_split_has_to_be_texts(placeholders: int | None, most_repeated: int | None, expected: str) -> None:
    data = data_facts()
    data.splits["test"] = replace(data.splits["test"], placeholders=placeholders)
    gate = verdict("test_texts", inputs(record=a_record(data=data), most_repeated=most_repeated))
    assert gate.verdict == expected
    assert bool(gate.remedy) is (expected != PASSED)


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


@pytest.mark.parametrize(("model", "expected"), [("baseline", True), ("linear", False), ("ensemble", False)])
def test_label_smoothing_is_a_remedy_only_if_there_is_any(model: str, *, expected: bool) -> None:
    gate = verdict("calibration", inputs(record=a_record(model=model), scores=scores(ece=0.2)))
    assert ("model.loss.label_smoothing" in gate.remedy) is expected


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
