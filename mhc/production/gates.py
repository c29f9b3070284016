"""The gates between a run and production. Pure: inputs and policy in, verdicts out, without access to the disk.

The verdict of a gate is passed, failed, or not enough evidence; a missing measurement never passes. `GATES` is their
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec.structs import replace

from mhc.facts import unmarked_high_risk
from mhc.policy import Judged, PromotionPolicy
from mhc.production.decision import (
    FAILED,
    PASSED,
    UNKNOWN,
    UNSCORED,
    Baseline,
    GateInputs,
    Scores,
    at_least,
    better_model,
    pass_or_fail,
    unknown,
    verdict,
)
from mhc.production.ensemble.gate import members
from mhc.production.gate_rules.test_split import leakage, test_texts
from mhc.record import Category, Content, Gate, Promotion, Status
from mhc.statistics import paired_comparison
from mhc.statistics.paired_comparison import Comparison, PairedRecall
from mhc.terminal import quantity

__all__ = ["FAILED", "GATES", "PASSED", "UNKNOWN", "flag", "judge", "refusals"]

NO_CHAMPION = "there is no champion of this task yet"
Rule = Callable[[GateInputs, PromotionPolicy], list[Gate]]


def judge(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Return the verdict of every gate, in the order of `GATES`."""
    return [gate for rule in GATES for gate in rule(inputs, policy)]


def refusals(verdicts: list[Gate]) -> list[Gate]:
    """Return the verdicts that are not passed."""
    return [gate for gate in verdicts if gate.verdict != PASSED]


def flag(inputs: GateInputs, policy: PromotionPolicy, policy_name: str) -> Promotion:
    """Return the promotion section of the record: whether the run is a candidate, with the reason."""
    verdicts = judge(inputs, policy)
    missed = refusals(verdicts)
    reason = "; ".join(f"{gate.name} {gate.verdict}: {gate.reason}" for gate in missed)
    return replace(
        inputs.record.promotion,
        candidate=not missed,
        reason=reason or f"passed all {len(verdicts)} gates",
        policy=policy_name,
        gates=verdicts,
    )


def origin(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a completed run, not debug, on real data, with a complete checkpoint and recorded code."""
    of_the_run = (_completed, _category, _real_data, _checkpoint)
    return [*(rule(inputs, policy.origin.why) for rule in of_the_run), _git(inputs, policy)]


def quality(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a minimum of accuracy and macro-F1 on the test split."""
    scores = inputs.scores
    minima = {"accuracy": policy.accuracy, "f1_macro": policy.f1_macro}
    if scores is None:
        return [unknown(name, inputs.scores_flaw, rule.why, UNSCORED, rule.at_least) for name, rule in minima.items()]
    measured = {"accuracy": scores.accuracy, "f1_macro": scores.f1_macro}
    return [
        at_least(name, measured[name], rule.at_least, rule.judged_on, rule.why, name.replace("f1_macro", "macro-F1"))
        for name, rule in minima.items()
    ]


def recall(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a minimum of the recall of each class; classes of high risk have a minimum of their own."""
    rule, scores, data = policy.recall, inputs.scores, inputs.record.data
    if scores is None or data is None:
        return [unknown("recall", inputs.scores_flaw, rule.why, UNSCORED, rule.at_least)]
    minima = {label: rule.high_risk_at_least if label in data.high_risk else rule.at_least for label in data.labels}
    return [_class_recall(label, scores, minimum, rule.judged_on, rule.why) for label, minimum in minima.items()]


def reference(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a better result than the majority class, and than the linear model if there is such a run."""
    rule, baseline = policy.reference, inputs.reference
    name = "better_than_reference"
    if baseline is None or baseline.comparison is None:
        problem = inputs.scores_flaw if baseline is None else f"compared with {baseline.name}: {baseline.flaw}"
        return [unknown(name, problem, rule.why, UNSCORED, rule.by_more_than)]
    comparison = baseline.comparison
    ahead = comparison.difference if rule.judged_on == "point" else comparison.low
    outcome = PASSED if ahead > rule.by_more_than else FAILED if comparison.high <= rule.by_more_than else UNKNOWN
    if rule.judged_on == "point" and outcome == UNKNOWN:
        outcome = FAILED
    reason = (
        f"macro-F1 {comparison.challenger_f1_macro:.3f} against {comparison.incumbent_f1_macro:.3f} "
        f"of {baseline.name}, {comparison.difference:+.3f} (lower bound {comparison.low:+.3f})"
    )
    needed = paired_comparison.examples_needed(comparison, -rule.by_more_than) if rule.judged_on != "point" else None
    remedy = better_model(more_rows=needed, rows="test rows")
    return [verdict(name, outcome, reason, rule.why, remedy, measured=ahead, threshold=rule.by_more_than)]


def champion(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a result not worse than the champion's on the same test examples, corrected for picking the best of N."""
    rule, baseline, name = policy.champion, inputs.champion, "not_worse_than_champion"
    if inputs.scores is None:
        return [unknown(name, inputs.scores_flaw, rule.why, UNSCORED, -rule.margin)]
    if baseline is None:
        return [verdict(name, PASSED, NO_CHAMPION, rule.why)]
    comparison = baseline.comparison
    if comparison is None:
        return [_not_compared(name, baseline, rule.why, -rule.margin)]
    outcome = PASSED if comparison.low >= -rule.margin else UNKNOWN
    if outcome == UNKNOWN and (comparison.high < 0 or comparison.difference < -rule.margin):
        outcome = FAILED
    picked = f", the best of {comparison.picked_from} runs" if comparison.picked_from > 1 else ""
    common = f" of the {len(baseline.recalls)} classes that both know" if baseline.labels else ""
    reason = (
        f"macro-F1 {comparison.challenger_f1_macro:.3f} against {comparison.incumbent_f1_macro:.3f} "
        f"of {baseline.name} on the same {comparison.examples} examples{common}: {comparison.difference:+.3f}, "
        f"at least {comparison.low:+.3f} at level {comparison.level:.3g}{picked} "
        f"(McNemar on accuracy: p = {comparison.mcnemar_p:.3g}); a loss above {rule.margin:g} must be ruled out"
    )
    remedy = better_model(more_rows=paired_comparison.examples_needed(comparison, rule.margin), rows="test rows")
    return [verdict(name, outcome, reason, rule.why, remedy, measured=comparison.low, threshold=-rule.margin)]


def high_risk(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require of every high-risk class that its recall did not fall by the margin against the champion's, paired."""
    rule, baseline, data, name = policy.high_risk_recall, inputs.champion, inputs.record.data, "high_risk_recall"
    if inputs.scores is None or data is None:
        return [unknown(name, inputs.scores_flaw, rule.why, UNSCORED, -rule.margin)]
    if baseline is None:
        notice = "" if data.high_risk else f"; {unmarked_high_risk(data.labels)}"
        return [verdict(name, PASSED, NO_CHAMPION + notice, rule.why)]
    if baseline.comparison is None:
        return [_not_compared(name, baseline, rule.why, -rule.margin)]
    if not baseline.high_risk:
        new = f"{', '.join(data.high_risk)} is a class that {baseline.name} does not know" if data.high_risk else ""
        return [verdict(name, PASSED, f"nothing was compared: {new or unmarked_high_risk(data.labels)}", rule.why)]
    return [_high_risk_class(label, baseline, baseline.comparison, policy) for label in baseline.high_risk]


def _high_risk_class(label: str, baseline: Baseline, comparison: Comparison, policy: PromotionPolicy) -> Gate:
    """Return the verdict on one class of the champion."""
    rule, name = policy.high_risk_recall, f"high_risk_recall.{label}"
    recall = baseline.recalls.get(label)
    if recall is None:
        reason = f"{baseline.name} knows the high-risk class {label}, the run does not"
        return verdict(name, FAILED, reason, rule.why, "a model that knows the class", threshold=-rule.margin)
    if not recall.examples:
        remedy = f"a test split with rows of {label}"
        return unknown(name, f"the test split has no row of {label}", rule.why, remedy, -rule.margin)
    picked = comparison.picked_from
    level = paired_comparison.corrected_level(rule.level, picked)
    p = paired_comparison.recall_p_value(recall.gained, recall.lost, recall.examples, rule.margin)
    outcome = PASSED if p <= level else FAILED if recall.difference <= -rule.margin else UNKNOWN
    best_of = f", the best of {picked} runs" if picked > 1 else ""
    reason = (
        f"recall of {label} {recall.challenger_right / recall.examples:.3f} against "
        f"{recall.incumbent_right / recall.examples:.3f} of {baseline.name} on the same {recall.examples} examples "
        f"({recall.gained} gained, {recall.lost} lost); a fall by {rule.margin:g} must be ruled out at level "
        f"{level:.3g}{best_of}: p = {p:.3g}"
    )
    remedy = _more_of_class(recall, label, level, rule.margin, comparison.examples)
    return verdict(name, outcome, reason, rule.why, remedy, measured=recall.difference, threshold=-rule.margin)


def _more_of_class(recall: PairedRecall, label: str, level: float, margin: float, examples: int) -> str:
    """Return how many test rows of the class, and in all at its present share, would be needed."""
    needed = paired_comparison.recall_examples_needed(recall, margin, level)
    in_all = "" if needed is None else f" (about {math.ceil(needed * examples / recall.examples):,} test rows in all)"
    return better_model(more_rows=needed, rows=f"test rows of {label}{in_all}")


def _not_compared(name: str, baseline: Baseline, why: str, threshold: float) -> Gate:
    return unknown(name, f"compared with the champion {baseline.name}: {baseline.flaw}", why, "", threshold)


def plausible(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require an explanation by the user if the result is implausibly good."""
    rule, scores, name = policy.plausibility, inputs.scores, "plausible"
    if scores is None:
        return [unknown(name, inputs.scores_flaw, rule.why, UNSCORED, rule.f1_macro_below)]
    measured, answer = scores.f1_macro.point, inputs.answers.get(name, "").strip()
    if measured < rule.f1_macro_below:
        outcome, reason = PASSED, f"macro-F1 {measured:.3f} is not implausibly high"
    elif answer:
        outcome, reason = PASSED, f"macro-F1 {measured:.3f} is implausibly high, which was explained: {answer}"
    else:
        outcome, reason = UNKNOWN, f"macro-F1 {measured:.3f} is implausibly high"
    remedy = f"an explanation: --answer {name}='...'"
    return [verdict(name, outcome, reason, rule.why, remedy, measured=measured, threshold=rule.f1_macro_below)]


def calibration(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a small calibration error on the test split, at the temperature fitted on validation."""
    rule, scores = policy.calibration, inputs.scores
    if scores is None:
        return [unknown("calibration", inputs.scores_flaw, rule.why, UNSCORED, rule.ece_at_most)]
    if scores.ece is None:
        reason = "there is no evidence of validation to fit a temperature on"
        remedy = "the evidence of validation: python -m mhc.evaluate run=ID split=val"
        return [unknown("calibration", reason, rule.why, remedy, rule.ece_at_most)]
    reason = (
        f"calibration error {scores.ece:.3f} at temperature {scores.temperature:.3g} "
        f"({scores.ece_before:.3f} without), at most {rule.ece_at_most:g}"
    )
    outcome = PASSED if scores.ece <= rule.ece_at_most else FAILED
    model = inputs.record.model
    smoothing = "" if model is not None and model.fitted else ", model.loss.label_smoothing"
    remedy = (
        f"a model that is less sure when it is wrong (more training data{smoothing}), or more rows of validation to "
        "fit the temperature on"
    )
    return [verdict("calibration", outcome, reason, rule.why, remedy, measured=scores.ece, threshold=rule.ece_at_most)]


GATES: tuple[Rule, ...] = (
    origin,
    members,
    quality,
    recall,
    reference,
    champion,
    high_risk,
    leakage,
    test_texts,
    plausible,
    calibration,
)
"""All gates, in the order in which their verdicts are shown."""


def _completed(inputs: GateInputs, why: str) -> Gate:
    record = inputs.record
    reason = f"the run is {record.status}" + (f": {record.status_reason}" if record.status_reason else "")
    remedy = f"a training to its end: python -m mhc.train resume={record.id}"
    return pass_or_fail("completed", reason, why, remedy, passed=record.status == Status.COMPLETED)


def _checkpoint(inputs: GateInputs, why: str) -> Gate:
    flaw = inputs.checkpoint_flaw
    reason = flaw or "the checkpoint is complete and has the recorded sha256"
    return pass_or_fail("checkpoint", reason, why, "the original file, or another training", passed=flaw is None)


def _category(inputs: GateInputs, why: str) -> Gate:
    category, reason = inputs.record.category, inputs.record.category_reason
    remedy = f"another category, if it is wrong: mhc reclassify {inputs.record.id} --to baseline"
    if category is None:
        return unknown("not_debug", "the run was not classified", why, remedy)
    return pass_or_fail("not_debug", f"the run is {category}: {reason}", why, remedy, passed=category != Category.DEBUG)


def _real_data(inputs: GateInputs, why: str) -> Gate:
    data, remedy = inputs.record.data, "a training on real data: data=files data.train=..."
    if data is None:
        return unknown("real_data", "the data of the run was not recorded", why, remedy)
    kind = "synthetic" if data.synthetic else "real"
    return pass_or_fail("real_data", f"the data {data.name} is {kind}", why, remedy, passed=not data.synthetic)


def _git(inputs: GateInputs, policy: PromotionPolicy) -> Gate:
    lineage, rule, remedy = inputs.record.lineage, policy.origin, "a training from a git commit without changes"
    if rule.git == "any":
        return verdict("git_state", PASSED, "the policy does not check git", rule.why)
    if lineage.git_commit is None or lineage.git_dirty is None:
        return unknown("git_state", "no git commit was recorded", rule.why, remedy)
    if not lineage.git_dirty:
        return verdict("git_state", PASSED, f"clean at commit {lineage.git_commit[:12]}", rule.why)
    by_hash = sum(change.content in (Content.NOT_CODE, Content.UNTRACKED) for change in lineage.git_changes)
    others = f", {quantity(by_hash, 'other file')} by hash" if by_hash else ""
    code = "the changed code is recorded" if inputs.has_diff else "the changed code is not recorded completely"
    reason = f"uncommitted changes on {lineage.git_commit[:12]}; {code}{others}"
    return pass_or_fail("git_state", reason, rule.why, remedy, passed=inputs.has_diff and rule.git == "recorded")


def _class_recall(label: str, scores: Scores, minimum: float, judged_on: Judged, why: str) -> Gate:
    interval, rows = scores.recall.get(label), f"test rows of {label}"
    if interval is None:
        return unknown(
            f"recall.{label}", f"the test split has no row of {label}", why, f"a test split with {rows}", minimum
        )
    return at_least(f"recall.{label}", interval, minimum, judged_on, why, f"recall of {label}", rows)
