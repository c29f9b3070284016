"""The gates between a run and production. Pure: inputs and policy in, verdicts out, without access to the disk.

The verdict of a gate is passed, failed, or not enough evidence; a missing measurement never passes. `GATES` is their
order.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from mhc.policy import Judged, PromotionPolicy
from mhc.production import statistics
from mhc.production.decision import GateInputs, Scores
from mhc.production.statistics import Interval
from mhc.record import Category, Gate, Promotion, Status

PASSED, FAILED, UNKNOWN = "passed", "failed", "not enough evidence"
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
    record, why = inputs.record, policy.origin.why
    flaw = inputs.checkpoint_flaw
    return [
        _pass_or_fail("completed", f"the run is {_status(inputs)}", why, passed=record.status == Status.COMPLETED),
        _category(inputs, why),
        _real_data(inputs, why),
        _pass_or_fail(
            "checkpoint", flaw or "the checkpoint is complete and has the recorded sha256", why, passed=flaw is None
        ),
        _git(inputs, policy),
    ]


def quality(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a minimum of accuracy and macro-F1 on the test split."""
    scores = inputs.scores
    minima = {"accuracy": policy.accuracy, "f1_macro": policy.f1_macro}
    if scores is None:
        return [_unknown(name, inputs.scores_flaw, rule.why, rule.at_least) for name, rule in minima.items()]
    measured = {"accuracy": scores.accuracy, "f1_macro": scores.f1_macro}
    return [
        _at_least(name, measured[name], rule.at_least, rule.judged_on, rule.why, name.replace("f1_macro", "macro-F1"))
        for name, rule in minima.items()
    ]


def recall(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a minimum of the recall of each class; classes of high risk have a minimum of their own."""
    rule, scores, data = policy.recall, inputs.scores, inputs.record.data
    if scores is None or data is None:
        return [_unknown("recall", inputs.scores_flaw, rule.why, rule.at_least)]
    minima = {label: rule.high_risk_at_least if label in data.high_risk else rule.at_least for label in data.labels}
    return [_class_recall(label, scores, at_least, rule.judged_on, rule.why) for label, at_least in minima.items()]


def reference(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a better result than the majority class, and than the linear model if there is such a run."""
    rule, baseline = policy.reference, inputs.reference
    if baseline is None or baseline.comparison is None:
        problem = inputs.scores_flaw if baseline is None else f"compared with {baseline.name}: {baseline.flaw}"
        return [_unknown("better_than_reference", problem, rule.why, rule.by_more_than)]
    comparison = baseline.comparison
    ahead = comparison.difference if rule.judged_on == "point" else comparison.low
    verdict = PASSED if ahead > rule.by_more_than else FAILED if comparison.high <= rule.by_more_than else UNKNOWN
    if rule.judged_on == "point" and verdict == UNKNOWN:
        verdict = FAILED
    reason = (
        f"macro-F1 {comparison.challenger_f1_macro:.3f} against {comparison.incumbent_f1_macro:.3f} "
        f"of {baseline.name}, {comparison.difference:+.3f} (lower bound {comparison.low:+.3f})"
    )
    return [_gate("better_than_reference", verdict, reason, rule.why, ahead, rule.by_more_than)]


def champion(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a result not worse than the champion's on the same test examples, corrected for picking the best of N."""
    rule, baseline, name = policy.champion, inputs.champion, "not_worse_than_champion"
    if inputs.scores is None:
        return [_unknown(name, inputs.scores_flaw, rule.why, -rule.margin)]
    if baseline is None:
        return [_gate(name, PASSED, "there is no champion of this task yet", rule.why)]
    comparison = baseline.comparison
    if comparison is None:
        return [_unknown(name, f"compared with the champion {baseline.name}: {baseline.flaw}", rule.why, -rule.margin)]
    verdict = PASSED if comparison.low >= -rule.margin else UNKNOWN
    if verdict == UNKNOWN and (comparison.high < 0 or comparison.difference < -rule.margin):
        verdict = FAILED
    picked = f", the best of {comparison.picked_from} runs" if comparison.picked_from > 1 else ""
    reason = (
        f"macro-F1 {comparison.challenger_f1_macro:.3f} against {comparison.incumbent_f1_macro:.3f} "
        f"of {baseline.name} on the same {comparison.examples} examples: {comparison.difference:+.3f}, "
        f"at least {comparison.low:+.3f} at level {comparison.level:.3g}{picked} "
        f"(McNemar on accuracy: p = {comparison.mcnemar_p:.3g}); a loss above {rule.margin:g} must be ruled out"
    )
    return [_gate(name, verdict, reason, rule.why, comparison.low, -rule.margin)]


def leakage(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require that train and test have no near copies and no authors in common."""
    rule, data = policy.leakage, inputs.record.data
    test = data.splits.get("test") if data else None
    if test is None or inputs.near_copies is None:
        return [_unknown("no_leakage", "near copies between train and test were not counted", rule.why)]
    share = inputs.near_copies / max(test.rows, 1)
    shared = test.shared_groups or 0
    authors = "" if test.shared_groups is None else f"; {shared} author(s) are in both"
    verdict = PASSED if share <= rule.near_copies_at_most and shared <= rule.shared_groups_at_most else FAILED
    reason = f"{inputs.near_copies} of {test.rows} test rows ({share:.1%}) are near copies of a train row{authors}"
    return [_gate("no_leakage", verdict, reason, rule.why, share, rule.near_copies_at_most)]


def plausible(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require an explanation by the user if the result is implausibly good."""
    rule, scores, name = policy.plausibility, inputs.scores, "plausible"
    if scores is None:
        return [_unknown(name, inputs.scores_flaw, rule.why, rule.f1_macro_below)]
    measured, answer = scores.f1_macro.point, inputs.answers.get(name, "").strip()
    if measured < rule.f1_macro_below:
        verdict, reason = PASSED, f"macro-F1 {measured:.3f} is not implausibly high"
    elif answer:
        verdict, reason = PASSED, f"macro-F1 {measured:.3f} is implausibly high, which was explained: {answer}"
    else:
        verdict = UNKNOWN
        reason = f"macro-F1 {measured:.3f} is implausibly high; explain it with --answer {name}='...'"
    return [_gate(name, verdict, reason, rule.why, measured, rule.f1_macro_below)]


def calibration(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require a small calibration error on the test split, at the temperature fitted on validation."""
    rule, scores = policy.calibration, inputs.scores
    if scores is None or scores.ece is None:
        no_temperature = "there is no evidence of validation to fit a temperature on"
        problem = inputs.scores_flaw if scores is None else no_temperature
        return [_unknown("calibration", problem, rule.why, rule.ece_at_most)]
    reason = (
        f"calibration error {scores.ece:.3f} at temperature {scores.temperature:.3g} "
        f"({scores.ece_before:.3f} without), at most {rule.ece_at_most:g}"
    )
    verdict = PASSED if scores.ece <= rule.ece_at_most else FAILED
    return [_gate("calibration", verdict, reason, rule.why, scores.ece, rule.ece_at_most)]


GATES: tuple[Rule, ...] = (origin, quality, recall, reference, champion, leakage, plausible, calibration)
"""All gates, in the order in which their verdicts are shown."""


def _status(inputs: GateInputs) -> str:
    record = inputs.record
    return record.status + (f": {record.status_reason}" if record.status_reason else "")


def _category(inputs: GateInputs, why: str) -> Gate:
    category, reason = inputs.record.category, inputs.record.category_reason
    if category is None:
        return _unknown("not_debug", "the run was not classified", why)
    return _pass_or_fail("not_debug", f"the run is {category}: {reason}", why, passed=category != Category.DEBUG)


def _real_data(inputs: GateInputs, why: str) -> Gate:
    data = inputs.record.data
    if data is None:
        return _unknown("real_data", "the data of the run was not recorded", why)
    kind = "synthetic" if data.synthetic else "real"
    return _pass_or_fail("real_data", f"the data {data.name} is {kind}", why, passed=not data.synthetic)


def _git(inputs: GateInputs, policy: PromotionPolicy) -> Gate:
    lineage, rule = inputs.record.lineage, policy.origin
    if rule.git == "any":
        return _gate("git_state", PASSED, "the policy does not check git", rule.why)
    if lineage.git_commit is None or lineage.git_dirty is None:
        return _unknown("git_state", "no git commit was recorded", rule.why)
    if not lineage.git_dirty:
        return _gate("git_state", PASSED, f"clean at commit {lineage.git_commit[:12]}", rule.why)
    diff = "with a recorded diff" if inputs.has_diff else "without a recorded diff"
    reason = f"uncommitted changes on {lineage.git_commit[:12]}, {diff}"
    return _pass_or_fail("git_state", reason, rule.why, passed=inputs.has_diff and rule.git == "recorded")


def _class_recall(label: str, scores: Scores, at_least: float, judged_on: Judged, why: str) -> Gate:
    interval = scores.recall.get(label)
    if interval is None:
        return _unknown(f"recall.{label}", f"the test split has no row of {label}", why, at_least)
    return _at_least(f"recall.{label}", interval, at_least, judged_on, why, f"recall of {label}")


def _at_least(name: str, interval: Interval, at_least: float, judged_on: Judged, why: str, subject: str) -> Gate:
    """Compare the point, or the lower bound, with a minimum; the reason states if the split is too small."""
    measured = interval.point if judged_on == "point" else interval.low
    verdict = PASSED if measured >= at_least else FAILED
    if verdict == FAILED and judged_on == "lower_bound" and interval.high >= at_least:
        verdict = UNKNOWN
    bounds = f"{interval.confidence:.0%} interval {interval.low:.3f} to {interval.high:.3f}"
    too_small = _too_small(interval, at_least)
    reason = (
        f"{subject} {interval.point:.3f} ({bounds}, {interval.examples} examples), at least {at_least:g}{too_small}"
    )
    return _gate(name, verdict, reason, why, measured, at_least)


def _too_small(interval: Interval, at_least: float) -> str:
    if not interval.low < at_least <= interval.high:
        return ""
    needed = statistics.examples_needed(interval, at_least)
    number = f"; about {needed} would be needed" if needed else ""
    return f" (the test set is too small to tell them apart{number})"


def _pass_or_fail(name: str, reason: str, why: str, *, passed: bool) -> Gate:
    return _gate(name, PASSED if passed else FAILED, reason, why)


def _unknown(name: str, reason: str, why: str, threshold: float | None = None) -> Gate:
    return _gate(name, UNKNOWN, reason, why, None, threshold)


def _gate(
    name: str, verdict: str, reason: str, why: str, measured: float | None = None, threshold: float | None = None
) -> Gate:
    return Gate(name=name, verdict=verdict, reason=reason, measured=measured, threshold=threshold, why=why)
