"""The gates on the test split itself: no copies of train, and texts that can be scored. Pure."""

from __future__ import annotations

import math

from mhc.policy import PromotionPolicy
from mhc.production.decision import FAILED, PASSED, UNSCORED, GateInputs, unknown, verdict
from mhc.record import Gate
from mhc.terminal import quantity


def leakage(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require that train and test have no near copies and no authors in common."""
    rule, data = policy.leakage, inputs.record.data
    test = data.splits.get("test") if data else None
    if test is None or inputs.near_copies is None:
        remedy = "data that can still be read, trained on with data.near_duplicates set"
        return [unknown("no_leakage", "near copies between train and test were not counted", rule.why, remedy)]
    share = inputs.near_copies / max(test.rows, 1)
    shared = test.shared_groups or 0
    authors = "" if test.shared_groups is None else f"; {quantity(shared, 'author')} in both"
    outcome = PASSED if share <= rule.near_copies_at_most and shared <= rule.shared_groups_at_most else FAILED
    reason = f"{inputs.near_copies} of {test.rows} test rows ({share:.1%}) are near copies of a train row{authors}"
    copies = math.floor(rule.near_copies_at_most * test.rows)
    remedy = f"at most {copies} near copies in a test split of {test.rows} rows, and splits by author (data.group)"
    return [
        verdict("no_leakage", outcome, reason, rule.why, remedy, measured=share, threshold=rule.near_copies_at_most)
    ]


def test_texts(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require that the test split is texts: few placeholders such as [removed], and no text again and again.

    Records of earlier versions do not have the number of placeholders, which are then judged as repeated texts.
    """
    rule, data, repeated = policy.test_texts, inputs.record.data, inputs.most_repeated
    test = data.splits.get("test") if data else None
    if test is None or repeated is None:
        return [unknown("test_texts", inputs.scores_flaw, rule.why, UNSCORED, rule.one_text_at_most)]
    rows, placeholders = max(test.rows, 1), test.placeholders or 0
    share = repeated / rows if repeated > 1 else 0.0
    few = placeholders <= rule.placeholders_at_most * rows
    outcome = PASSED if few and share <= rule.one_text_at_most else FAILED
    counted = "placeholders were not counted" if test.placeholders is None else quantity(placeholders, "placeholder")
    reason = f"{counted} in {test.rows} test rows; the most frequent text is {repeated} of them ({repeated / rows:.1%})"
    key = "repeats" if few else "placeholders"
    remedy = f"a test split of different texts, or a training with data.cleaning.{key}=drop"
    return [verdict("test_texts", outcome, reason, rule.why, remedy, measured=share, threshold=rule.one_text_at_most)]
