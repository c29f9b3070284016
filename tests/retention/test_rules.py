"""Retention rules: which runs are due for an archive, and which are protected."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mhc import policy
from mhc.policy import ArchivingPolicy, ArchivingRule
from mhc.record import Category, Location, Promotion, RunRecord, Status
from mhc.retention.rules import ActiveRun, Due, due_for_archive, protection
from tests.support.builders import NOW, a_record

POLICY = policy.load().archiving


def active(record: RunRecord, size: int | None = None) -> ActiveRun:
    return ActiveRun(Path("outputs") / record.id, record, size)


def a_debug(age_days: float, **changes: object) -> RunRecord:
    created = NOW - timedelta(days=age_days)
    id = f"debug_{created:%Y%m%d_%H%M%S}_0000"
    return a_record(**{"id": id, "category": "debug", "created": created} | changes)  # type: ignore[arg-type]


def four_debug_runs(**oldest: object) -> list[ActiveRun]:
    return [active(a_debug(1)), active(a_debug(4, **oldest)), active(a_debug(2)), active(a_debug(3))]


def due_ids(due: list[Due]) -> list[str]:
    return [item.record.id for item in due]


def test_oldest_of_four_debug_runs_goes_to_archive_debug() -> None:
    due = due_for_archive(four_debug_runs(), POLICY, NOW)
    assert due_ids(due) == [a_debug(4).id]
    assert (due[0].to, due[0].reason) == (Location.ARCHIVE_DEBUG, "debug runs: there are more than 3")


def test_three_debug_runs_stay() -> None:
    assert due_for_archive(four_debug_runs()[:3], POLICY, NOW) == []


def test_baseline_runs_stay_whatever_their_number_and_age() -> None:
    runs = [active(a_record(f"a_20260101_000000_{n:04x}", created=NOW - timedelta(days=n))) for n in range(40)]
    assert due_for_archive(runs, POLICY, NOW) == []


PROTECTED = {
    "running": ({"status": "running"}, "it is running"),
    "being resumed": ({"status": "running"}, "it is running"),
    "pinned": ({"pinned": True}, "it is pinned"),
    "candidate": ({"candidate": True}, "it is a candidate"),
    "promoted": ({"promotion": Promotion(bundles=["crisis_v2"])}, "the bundle crisis_v2 was made of it"),
}


@pytest.mark.parametrize(("changes", "why"), PROTECTED.values(), ids=PROTECTED.keys())
def test_protected_debug_run_stays(changes: dict[str, object], why: str) -> None:
    runs = four_debug_runs(**changes)
    assert due_for_archive(runs, POLICY, NOW) == []
    assert protection(runs[1].record) == why


@pytest.mark.parametrize("changes", [c for c, _ in list(PROTECTED.values())[2:]], ids=list(PROTECTED)[2:])
def test_protected_failed_run_stays_whatever_its_age(changes: dict[str, object]) -> None:
    old = a_record(status="failed", created=NOW - timedelta(days=99), **changes)  # type: ignore[arg-type]
    assert due_for_archive([active(old)], POLICY, NOW) == []


def test_source_of_a_bundle_stays() -> None:
    runs = four_debug_runs()
    assert due_for_archive(runs, POLICY, NOW, in_production={a_debug(4).id}) == []
    assert protection(a_debug(4), None, {a_debug(4).id}) == "a bundle was made of it"


def test_current_run_is_never_due_but_counts_as_the_newest() -> None:
    runs = [*four_debug_runs()[:3], active(a_debug(0, status="running"))]
    current = runs[-1].record.id
    assert due_ids(due_for_archive(runs, POLICY, NOW, current=current)) == [a_debug(4).id]
    alone = ArchivingPolicy(keep_debug=0, failed_after_days=7, failed_statuses=[Status.FAILED], rules=[])
    assert current not in due_ids(due_for_archive(runs, alone, NOW, current=current))
    assert protection(runs[-1].record, current) is not None


def test_pinned_debug_runs_are_not_counted() -> None:
    pinned = [active(a_debug(days, pinned=True)) for days in (5, 6, 7)]
    assert due_for_archive([*pinned, *four_debug_runs()[:3]], POLICY, NOW) == []


@pytest.mark.parametrize("status", ["failed", "lost"])
@pytest.mark.parametrize(
    ("category", "to"), [("baseline", "archive_baseline"), ("debug", "archive_debug"), (None, "archive_baseline")]
)
def test_failed_and_lost_runs_are_archived_after_seven_days(status: str, category: str | None, to: str) -> None:
    def of_age(days: float) -> ActiveRun:
        ended = NOW - timedelta(days=days)
        return active(a_record(status=status, category=category, created=ended, took=timedelta(0)))

    assert due_for_archive([of_age(6.9)], POLICY, NOW) == []
    due = due_for_archive([of_age(8)], POLICY, NOW)
    assert [item.to for item in due] == [Location(to)]
    assert "it ended 8 days ago, more than 7" in due[0].reason


def test_age_counts_from_the_end_not_from_the_start() -> None:
    long = a_record(status="failed", created=NOW - timedelta(days=9), took=timedelta(days=8))
    assert due_for_archive([active(long)], POLICY, NOW) == []


@pytest.mark.parametrize("status", ["completed", "interrupted", "unknown"])
def test_other_statuses_are_not_taken_for_failures(status: str) -> None:
    old = a_record(status=status, created=NOW - timedelta(days=99))
    assert due_for_archive([active(old)], POLICY, NOW) == []


def with_rule(**rule: object) -> ArchivingPolicy:
    rules = [ArchivingRule(name="mine", to="archived", **rule)]  # type: ignore[arg-type]
    return ArchivingPolicy(keep_debug=99, failed_after_days=99, failed_statuses=[], rules=rules)


RUNS = {
    "small": active(a_record("small", created=NOW - timedelta(days=1)), 1_000_000),
    "big": active(a_record("big", created=NOW - timedelta(days=2)), 3_000_000_000),
    "old": active(a_record("old", created=NOW - timedelta(days=50)), 1_000_000),
    "interrupted": active(
        a_record("interrupted", status="interrupted", created=NOW - timedelta(days=3)), 5_000_000_000
    ),
    "debug": active(a_record("debug", category="debug", created=NOW - timedelta(days=4)), 0),
}


@pytest.mark.parametrize(
    ("rule", "due"),
    [
        ({"larger_than_mb": 2000}, ["interrupted", "big"]),
        ({"larger_than_mb": 2000, "keep": 1}, ["interrupted"]),
        ({"older_than_days": 30}, ["old"]),
        ({"statuses": [Status.INTERRUPTED]}, ["interrupted"]),
        ({"category": Category.DEBUG}, ["debug"]),
        ({"keep": 2}, ["old", "debug", "interrupted"]),
        ({"category": Category.BASELINE, "statuses": [Status.COMPLETED], "keep": 2}, ["old"]),
        ({}, ["old", "debug", "interrupted", "big", "small"]),
    ],
    ids=["size", "size and number", "age", "status", "category", "number", "all three", "everything"],
)
def test_rules_match_by_number_age_size_category_and_status(rule: dict[str, object], due: list[str]) -> None:
    archived = due_for_archive(RUNS.values(), with_rule(**rule), NOW)
    assert due_ids(archived) == due
    assert {item.to for item in archived} == {Location.ARCHIVED}
    assert all(item.reason.startswith("mine: ") for item in archived)


def test_reason_gives_every_number_of_the_rule() -> None:
    (item,) = due_for_archive([RUNS["big"]], with_rule(larger_than_mb=2000, older_than_days=1, keep=0), NOW)
    assert (
        item.reason
        == "mine: there are more than 0, it ended 1 days ago, more than 1, it takes 3,000 MB, more than 2000"
    )


def test_first_matching_rule_names_the_archive() -> None:
    failed = a_debug(30, status="failed")
    due = due_for_archive([active(failed)], POLICY, datetime.fromisoformat("2026-11-20T12:00:00+00:00"))
    assert due[0].reason.startswith("failed or lost debug runs: ")
