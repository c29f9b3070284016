"""The gates between a run and production. Pure: findings and policy in, verdicts out; nothing here touches a disk.

Each gate answers passed, failed, or not enough evidence; what was not measured has not passed. `GATES` is their order.
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


def judge(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Put the findings through every gate, in the policy's order."""
    return [gate for rule in GATES for gate in rule(findings, policy)]


def refusals(gates: list[Gate]) -> list[Gate]:
    """Return the gates that were not passed."""
    return [gate for gate in gates if gate.verdict != PASSED]


def flag(findings: GateInputs, policy: PromotionPolicy, policy_name: str) -> Promotion:
    """What goes on record: whether the run is a candidate, and why (not)."""
    gates = judge(findings, policy)
    missed = refusals(gates)
    reason = "; ".join(f"{gate.name} {gate.verdict}: {gate.reason}" for gate in missed)
    return replace(
        findings.record.promotion,
        candidate=not missed,
        reason=reason or f"passed all {len(gates)} gates",
        policy=policy_name,
        gates=gates,
    )


def origin(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """A completed run, not debug, on real data, with a whole checkpoint and known code."""
    record, why = findings.record, policy.origin.why
    flaw = findings.checkpoint_flaw
    return [
        _say("completed", record.status == Status.COMPLETED, f"the run is {_status(findings)}", why),
        _category(findings, why),
        _real_data(findings, why),
        _say("checkpoint", flaw is None, flaw or "the checkpoint is whole, as its sha256 says", why),
        _git(findings, policy),
    ]


def quality(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Floors under accuracy and macro-F1 on the test split."""
    scores = findings.scores
    floors = {"accuracy": policy.accuracy, "f1_macro": policy.f1_macro}
    if scores is None:
        return [_unknown(name, findings.scores_flaw, floor.why, floor.at_least) for name, floor in floors.items()]
    measured = {"accuracy": scores.accuracy, "f1_macro": scores.f1_macro}
    return [
        _floor(name, measured[name], floor.at_least, floor.judged_on, floor.why, name.replace("f1_macro", "macro-F1"))
        for name, floor in floors.items()
    ]


def recall(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """A floor under the recall of each class; a class of high risk has one of its own."""
    floor, scores, data = policy.recall, findings.scores, findings.record.data
    if scores is None or data is None:
        return [_unknown("recall", findings.scores_flaw, floor.why, floor.at_least)]
    floors = {label: floor.high_risk_at_least if label in data.high_risk else floor.at_least for label in data.labels}
    return [_class_recall(label, scores, at_least, floor.judged_on, floor.why) for label, at_least in floors.items()]


def reference(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Better than the majority class, and than the linear model where such a run is on record."""
    rule, rival = policy.reference, findings.reference
    if rival is None or rival.comparison is None:
        why_not = findings.scores_flaw if rival is None else f"compared with {rival.name}: {rival.flaw}"
        return [_unknown("better_than_reference", why_not, rule.why, rule.by_more_than)]
    found = rival.comparison
    ahead = found.difference if rule.judged_on == "point" else found.low
    verdict = PASSED if ahead > rule.by_more_than else FAILED if found.high <= rule.by_more_than else UNKNOWN
    if rule.judged_on == "point" and verdict == UNKNOWN:
        verdict = FAILED
    reason = (
        f"macro-F1 {found.challenger_f1_macro:.3f} against {found.incumbent_f1_macro:.3f} of {rival.name}, "
        f"{found.difference:+.3f} (at least {found.low:+.3f} surely)"
    )
    return [_gate("better_than_reference", verdict, reason, rule.why, ahead, rule.by_more_than)]


def champion(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Not worse than the champion on the same test examples, after a correction for having picked the best of N."""
    rule, rival, name = policy.champion, findings.champion, "not_worse_than_champion"
    if findings.scores is None:
        return [_unknown(name, findings.scores_flaw, rule.why, -rule.margin)]
    if rival is None:
        return [_gate(name, PASSED, "there is no champion of this task yet", rule.why)]
    found = rival.comparison
    if found is None:
        return [_unknown(name, f"compared with the champion {rival.name}: {rival.flaw}", rule.why, -rule.margin)]
    verdict = PASSED if found.low >= -rule.margin else UNKNOWN
    if verdict == UNKNOWN and (found.high < 0 or found.difference < -rule.margin):
        verdict = FAILED
    picked = f", the best of {found.picked_from} runs" if found.picked_from > 1 else ""
    reason = (
        f"macro-F1 {found.challenger_f1_macro:.3f} against {found.incumbent_f1_macro:.3f} of {rival.name} on the same "
        f"{found.examples} examples: {found.difference:+.3f}, at least {found.low:+.3f} at level {found.level:.3g}"
        f"{picked} (McNemar on accuracy: p = {found.mcnemar_p:.3g}); a loss above {rule.margin:g} must be ruled out"
    )
    return [_gate(name, verdict, reason, rule.why, found.low, -rule.margin)]


def leakage(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Neither near copies nor authors on both sides of train and test."""
    rule, data = policy.leakage, findings.record.data
    test = data.splits.get("test") if data else None
    if test is None or findings.near_copies is None:
        return [_unknown("no_leakage", "near copies between train and test were not counted", rule.why)]
    share = findings.near_copies / max(test.rows, 1)
    shared = test.shared_groups or 0
    authors = "" if test.shared_groups is None else f"; {shared} author(s) stand in both"
    verdict = PASSED if share <= rule.near_copies_at_most and shared <= rule.shared_groups_at_most else FAILED
    reason = f"{findings.near_copies} of {test.rows} test rows ({share:.1%}) are near copies of a train row{authors}"
    return [_gate("no_leakage", verdict, reason, rule.why, share, rule.near_copies_at_most)]


def plausible(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """A result too good to be true asks for an explicit answer."""
    rule, scores, name = policy.plausibility, findings.scores, "plausible"
    if scores is None:
        return [_unknown(name, findings.scores_flaw, rule.why, rule.f1_macro_below)]
    measured, answer = scores.f1_macro.point, findings.answers.get(name, "").strip()
    if measured < rule.f1_macro_below:
        verdict, reason = PASSED, f"macro-F1 {measured:.3f} is not implausibly high"
    elif answer:
        verdict, reason = PASSED, f"macro-F1 {measured:.3f} is implausibly high, and was answered for: {answer}"
    else:
        verdict, reason = (
            UNKNOWN,
            (f"macro-F1 {measured:.3f} is implausibly high; say why it can be believed with --answer {name}='...'"),
        )
    return [_gate(name, verdict, reason, rule.why, measured, rule.f1_macro_below)]


def calibration(findings: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """The calibration error on the test split, at the temperature fitted on validation."""
    rule, scores = policy.calibration, findings.scores
    if scores is None or scores.ece is None:
        no_temperature = "there is no evidence of validation to fit a temperature on"
        why_not = findings.scores_flaw if scores is None else no_temperature
        return [_unknown("calibration", why_not, rule.why, rule.ece_at_most)]
    reason = (
        f"calibration error {scores.ece:.3f} at temperature {scores.temperature:.3g} "
        f"({scores.ece_before:.3f} without), at most {rule.ece_at_most:g}"
    )
    verdict = PASSED if scores.ece <= rule.ece_at_most else FAILED
    return [_gate("calibration", verdict, reason, rule.why, scores.ece, rule.ece_at_most)]


GATES: tuple[Rule, ...] = (origin, quality, recall, reference, champion, leakage, plausible, calibration)
"""In the order in which their verdicts are shown."""


def _status(findings: GateInputs) -> str:
    record = findings.record
    return record.status + (f": {record.status_reason}" if record.status_reason else "")


def _category(findings: GateInputs, why: str) -> Gate:
    category, reason = findings.record.category, findings.record.category_reason
    if category is None:
        return _unknown("not_debug", "the run was not classified", why)
    return _say("not_debug", category != Category.DEBUG, f"the run is {category}: {reason}", why)


def _real_data(findings: GateInputs, why: str) -> Gate:
    data = findings.record.data
    if data is None:
        return _unknown("real_data", "the run has no data on record", why)
    kind = "synthetic" if data.synthetic else "real"
    return _say("real_data", not data.synthetic, f"the data {data.name} is {kind}", why)


def _git(findings: GateInputs, policy: PromotionPolicy) -> Gate:
    lineage, rule = findings.record.lineage, policy.origin
    if rule.git == "any":
        return _gate("git_state", PASSED, "the policy does not look at git", rule.why)
    if lineage.git_commit is None or lineage.git_dirty is None:
        return _unknown("git_state", "no git commit is on record", rule.why)
    if not lineage.git_dirty:
        return _gate("git_state", PASSED, f"clean at commit {lineage.git_commit[:12]}", rule.why)
    kept = "with its diff on record" if findings.diff_kept else "and its diff is not on record"
    reason = f"uncommitted changes on {lineage.git_commit[:12]}, {kept}"
    return _say("git_state", findings.diff_kept and rule.git == "recorded", reason, rule.why)


def _class_recall(label: str, scores: Scores, at_least: float, judged_on: Judged, why: str) -> Gate:
    interval = scores.recall.get(label)
    if interval is None:
        return _unknown(f"recall.{label}", f"the test split has no row of {label}", why, at_least)
    return _floor(f"recall.{label}", interval, at_least, judged_on, why, f"recall of {label}")


def _floor(name: str, interval: Interval, at_least: float, judged_on: Judged, why: str, subject: str) -> Gate:
    """Hold the point, or the lower bound, against a floor; say when the split is too small to tell."""
    measured = interval.point if judged_on == "point" else interval.low
    verdict = PASSED if measured >= at_least else FAILED
    if verdict == FAILED and judged_on == "lower_bound" and interval.high >= at_least:
        verdict = UNKNOWN
    surely = f"{interval.confidence:.0%} interval {interval.low:.3f} to {interval.high:.3f}"
    too_small = _too_small(interval, at_least)
    reason = (
        f"{subject} {interval.point:.3f} ({surely}, {interval.examples} examples), at least {at_least:g}{too_small}"
    )
    return _gate(name, verdict, reason, why, measured, at_least)


def _too_small(interval: Interval, at_least: float) -> str:
    if not interval.low < at_least <= interval.high:
        return ""
    needed = statistics.examples_needed(interval, at_least)
    number = f"; about {needed} would be needed" if needed else ""
    return f" (the test set is too small to tell them apart{number})"


def _say(name: str, passed: bool, reason: str, why: str) -> Gate:
    return _gate(name, PASSED if passed else FAILED, reason, why)


def _unknown(name: str, reason: str, why: str, threshold: float | None = None) -> Gate:
    return _gate(name, UNKNOWN, reason, why, None, threshold)


def _gate(
    name: str, verdict: str, reason: str, why: str, measured: float | None = None, threshold: float | None = None
) -> Gate:
    return Gate(name=name, verdict=verdict, reason=reason, measured=measured, threshold=threshold, why=why)
