from __future__ import annotations

from pathlib import Path

import pytest

from mhc.errors import BadInput, Conflict, NotFound, Refused
from mhc.production import ledger
from mhc.production.api import Registry
from mhc.production.decision import Request
from mhc.production.promote import promote
from tests.support.promotions import NOW, World, a_trained_run, policy


@pytest.fixture
def registry(world: World, folders: tuple[Path, Path]) -> Registry:
    """Return a registry with attention_v1 and with attention_v2, which is champion."""
    run = a_trained_run(*folders, world)
    for _ in range(2):
        promote(Request(run=run, by="ada", reason="x"), outputs=folders[0], models=folders[1], policy=policy(), now=NOW)
    return Registry(folders[1], folders[0])


def test_rollback_makes_the_previous_champion_champion(registry: Registry) -> None:
    assert registry.earlier_champion() == "attention_v1"
    entry = registry.rollback(by="bob", reason="worse in the field")
    assert (entry.what, entry.bundle, entry.before, entry.by) == ("rolled back", "attention_v1", "attention_v2", "bob")
    assert registry.champion().name == "attention_v1"
    with pytest.raises(NotFound, match="There was no champion before attention_v1"):
        registry.rollback(by="bob", reason="again")


def test_alias_is_set_and_removed(registry: Registry) -> None:
    registry.set_alias("challenger", "attention_v1", by="ada", reason="for a month")
    assert registry.resolve("challenger").name == "attention_v1"
    registry.remove_alias("challenger", by="ada", reason="the month is over")
    with pytest.raises(NotFound, match="No bundle and no alias 'challenger'"):
        registry.resolve("challenger")


def test_alias_may_be_named_by_another_alias(registry: Registry) -> None:
    registry.set_alias("stable", "champion", by="ada", reason="a name for the clinic")
    registry.rollback(by="ada", reason="x")
    assert registry.resolve("stable").name == "attention_v2"


def test_bundle_with_an_alias_is_not_retired(registry: Registry) -> None:
    with pytest.raises(Refused, match=r"attention_v2 is champion. Give that to another bundle first"):
        registry.retire("attention_v2", by="ada", reason="x")


def test_retired_bundle_gets_no_alias_and_keeps_its_files(registry: Registry) -> None:
    registry.retire("attention_v1", by="ada", reason="withdrawn posts")
    with pytest.raises(Refused, match="attention_v1 is retired"):
        registry.set_alias("challenger", "attention_v1", by="ada", reason="x")
    with pytest.raises(Conflict, match="retired already"):
        registry.retire("attention_v1", by="ada", reason="x")
    with pytest.raises(NotFound, match="no champion before"):
        registry.rollback(by="ada", reason="x")
    assert registry.verify().ok


@pytest.mark.parametrize("alias", ["../x", "A", "", "a b", "<b>"])
def test_alias_that_could_lead_to_another_folder_is_refused(registry: Registry, alias: str) -> None:
    with pytest.raises(BadInput, match="cannot name a bundle or an alias"):
        registry.set_alias(alias, "attention_v1", by="ada", reason="x")


def test_alias_cannot_take_the_name_of_a_bundle(registry: Registry) -> None:
    with pytest.raises(Conflict, match="attention_v1 is the name of a bundle"):
        registry.set_alias("attention_v1", "attention_v2", by="ada", reason="x")


def test_unchanged_alias_is_not_recorded(registry: Registry) -> None:
    with pytest.raises(Conflict, match="champion is attention_v2 already"):
        registry.set_alias("champion", "attention_v2", by="ada", reason="x")
    assert len(registry.history()) == 2


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("ada", "")])
def test_every_change_needs_an_author_and_a_reason(registry: Registry, by: str, reason: str) -> None:
    for action in (
        lambda: registry.rollback(by=by, reason=reason),
        lambda: registry.set_alias("x", "attention_v1", by=by, reason=reason),
        lambda: registry.remove_alias("champion", by=by, reason=reason),
        lambda: registry.retire("attention_v1", by=by, reason=reason),
    ):
        with pytest.raises(BadInput, match="needs an author and a reason"):
            action()
    assert len(registry.history()) == 2


def test_history_of_a_bundle_has_all_of_its_entries(registry: Registry) -> None:
    registry.rollback(by="bob", reason="x")
    assert [entry.what for entry in registry.history("attention_v2")] == ["promoted", "rolled back"]
    assert [entry.what for entry in registry.history("champion")] == ["promoted", "promoted", "rolled back"]


def test_registry_json_is_rewritten_with_each_change(registry: Registry) -> None:
    from mhc.production import state

    registry.rollback(by="bob", reason="x")
    content = (registry.models / "registry.json").read_bytes()
    assert content == state.snapshot(ledger.verified_entries(registry.models))


def test_models_folder_without_promotions_has_no_champion(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no champion in .*mhc promote"):
        Registry(tmp_path).champion()
    assert Registry(tmp_path).champions() == []


@pytest.mark.parametrize(
    ("by", "reason"),
    [("ada\n2026-01-01 bob", "x"), ("ad\udcffa", "x"), ("a" * 201, "x"), ("ada", "x" * 2001), ("ada", "\x1b[2Kx")],
    ids=["line break", "not UTF-8", "long name", "long reason", "escape"],
)
def test_author_and_reason_are_checked_before_anything(registry: Registry, by: str, reason: str) -> None:
    before = (registry.models / ledger.FILE).read_bytes()
    with pytest.raises(BadInput):
        registry.set_alias("challenger", "attention_v1", by=by, reason=reason)
    with pytest.raises(BadInput):
        registry.retire("attention_v1", by=by, reason=reason)
    assert (registry.models / ledger.FILE).read_bytes() == before
