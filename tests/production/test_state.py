from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from mhc import timestamps
from mhc.errors import BadInput, Conflict, NotFound
from mhc.production import ledger, state
from mhc.production.ledger import Entry

LABELS = ["anxiety", "normal"]
TASK = state.task_of(LABELS)


def an_entry(what: str, at: str = "2026-03-01T10:00:00.000Z", **fields: Any) -> Entry:
    values = {"at": at, "task": TASK, "labels": LABELS} | fields
    return replace(ledger.draft(what, "ada", "because"), **values)


def promoted(name: str, alias: str = "champion", **fields: Any) -> Entry:
    return an_entry("promoted", bundle=name, alias=alias, run=f"{name}_run", **fields)


def champion_after(*entries: Entry) -> str | None:
    return state.champion(state.fold(entries), TASK)


def test_newest_promotion_is_champion() -> None:
    assert champion_after(promoted("v1"), promoted("v2")) == "v2"


def test_promotion_as_challenger_does_not_change_the_champion() -> None:
    production = state.fold([promoted("v1"), promoted("v2", alias="challenger")])
    assert production.aliases[TASK] == {"champion": "v1", "challenger": "v2"}


def test_refusal_changes_nothing() -> None:
    production = state.fold([promoted("v1"), an_entry("refused", run="x", failed=["accuracy: failed: 0.1"])])
    assert production == state.fold([promoted("v1")])


def test_rolling_back_twice_goes_two_back() -> None:
    entries = [promoted("v1"), promoted("v2"), promoted("v3")]
    assert state.previous_champion(state.fold(entries), TASK) == "v2"
    entries.append(an_entry("rolled back", alias="champion", bundle="v2", before="v3"))
    assert champion_after(*entries) == "v2"
    assert state.previous_champion(state.fold(entries), TASK) == "v1"
    entries.append(an_entry("rolled back", alias="champion", bundle="v1", before="v2"))
    assert champion_after(*entries) == "v1"
    assert state.previous_champion(state.fold(entries), TASK) is None


def test_rollback_skips_retired_bundles() -> None:
    entries = [promoted("v1"), promoted("v2"), promoted("v3"), an_entry("retired", bundle="v2")]
    assert state.previous_champion(state.fold(entries), TASK) == "v1"


def test_champion_set_by_the_user_can_be_rolled_back() -> None:
    entries = [promoted("v1"), promoted("v2"), an_entry("alias set", alias="champion", bundle="v1", before="v2")]
    assert champion_after(*entries) == "v1"
    assert state.previous_champion(state.fold(entries), TASK) == "v2"


def test_removed_champion_has_no_successor() -> None:
    assert champion_after(promoted("v1"), an_entry("alias removed", alias="champion", before="v1")) is None


def test_tasks_have_champions_of_their_own() -> None:
    other = promoted("w1", task=state.task_of(["a", "b"]), labels=["a", "b"])
    production = state.fold([promoted("v1"), other])
    assert state.resolve(production, "champion", TASK).name == "v1"
    assert state.resolve(production, "champion", "a-b").name == "w1"


def test_plain_alias_keeps_its_meaning_for_a_second_task() -> None:
    other = promoted("w1", task=state.task_of(["a", "b"]), labels=["a", "b"])
    production = state.fold([promoted("v1"), other, promoted("v2")])
    assert state.resolve(production, "champion").name == "v2"


def test_change_of_an_alias_of_two_tasks_needs_the_task() -> None:
    other = promoted("w1", task=state.task_of(["a", "b"]), labels=["a", "b"])
    production = state.fold([promoted("v1"), other])
    sentence = r"champion is v1 \(task anxiety-normal\) and w1 \(task a-b\). Choose one with --task NAME"
    with pytest.raises(Conflict, match=sentence):
        state.resolve_one(production, "champion", None)
    assert state.resolve_one(production, "champion", "a-b").name == "w1"


def test_plain_alias_moves_on_if_its_task_loses_it() -> None:
    other = promoted("w1", task=state.task_of(["a", "b"]), labels=["a", "b"])
    removed = an_entry("alias removed", alias="champion", before="v1")
    assert state.resolve(state.fold([promoted("v1"), other, removed]), "champion").name == "w1"


def test_unknown_task_lists_the_tasks() -> None:
    with pytest.raises(NotFound, match=r"No task 'mood'. There are: anxiety-normal"):
        state.resolve(state.fold([promoted("v1")]), "champion", "mood")


def test_bundle_of_another_task_is_not_found() -> None:
    other = promoted("w1", task=state.task_of(["a", "b"]), labels=["a", "b"])
    with pytest.raises(NotFound, match=r"No bundle and no alias 'v1' of the task a-b. There are: w1, champion"):
        state.resolve(state.fold([promoted("v1"), other]), "v1", "a-b")


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (["normal", "anxiety"], "anxiety-normal"),
        (["Self Harm", "불안"], "self-harm-불안"),
        ([f"label{number:02}" for number in range(29)], "label00-label01-label02-label03-label04-label05-and-23-more"),
        (["x" * 60], "1-labels"),
    ],
)
def test_task_is_named_by_its_labels(labels: list[str], name: str) -> None:
    assert state.default_name(labels) == name


def test_tasks_of_one_name_are_numbered() -> None:
    entries = [promoted("v1", task_name="mood"), promoted("w1", task="0" * 12, labels=["a", "b"], task_name="mood")]
    assert list(state.fold(entries).tasks.values()) == ["mood", "mood-2"]


def test_snapshot_without_names_of_tasks_is_unchanged() -> None:
    assert b'"tasks"' not in state.snapshot([promoted("v1")])
    assert b'"mood"' in state.snapshot([promoted("v1", task_name="mood")])


def test_task_does_not_depend_on_the_order_of_labels() -> None:
    assert state.task_of(["b", "a"]) == state.task_of(["a", "b"])
    assert state.task_of(["ab"]) != state.task_of(["a", "b"])


def test_unknown_name_lists_the_existing_ones() -> None:
    with pytest.raises(NotFound, match=r"No bundle and no alias 'v9'. There are: v1, champion"):
        state.resolve(state.fold([promoted("v1")]), "v9")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-02-28", None),
        ("2026-03-01", "v1"),
        ("2026-03-01T09:59:59", None),
        ("2026-03-01T10:00:00", "v1"),
        ("2026-03-31", "v1"),
        ("2026-04-01", "v2"),
        ("2026-04-01T12:00:00+02:00", "v2"),
        ("2026-04-01T11:59:59+02:00", "v1"),
    ],
)
def test_champion_on_a_date(at: str, expected: str | None) -> None:
    entries = [promoted("v1"), promoted("v2", at="2026-04-01T10:00:00.000Z")]
    assert champion_after(*state.until(entries, timestamps.parse_end(at))) == expected


def test_invalid_date_is_refused() -> None:
    with pytest.raises(BadInput, match=r"'yesterday' is no date. Write 2026-03-01"):
        timestamps.parse_end("yesterday")


def test_each_entry_is_one_sentence() -> None:
    sentences = [
        state.sentence(entry)
        for entry in (
            promoted("v1", forced=True),
            an_entry("refused", run="r", failed=["accuracy: failed: 0.1"]),
            an_entry("rolled back", alias="champion", bundle="v1", before="v2"),
            an_entry("retired", bundle="v1"),
            an_entry("published", bundle="v1", to="hf://a/b"),
        )
    ]
    assert sentences == [
        "v1 promoted by force from v1_run as champion by ada: because",
        "promotion of r refused (accuracy: failed: 0.1) by ada: because",
        "champion rolled back to v1 (was v2) by ada: because",
        "v1 retired by ada: because",
        "v1 published to hf://a/b by ada: because",
    ]
