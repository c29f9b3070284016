from __future__ import annotations

import logging
from pathlib import Path

import pytest
from msgspec.structs import replace

from callbacks.flag_for_promotion import FlagForPromotion
from mhc import policy as policies
from mhc.errors import BadConfig
from mhc.production import gates, ledger
from mhc.production.decision import Request
from mhc.production.promote import judge
from mhc.record import Status
from mhc.runs import store
from mhc.runs.live import LiveRun
from tests.support.promotions import World, a_trained_run, make_world

Place = tuple[Path, Path]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return tmp_path / "outputs", tmp_path / "models"


def as_running(run: Path) -> LiveRun:
    store.update(run, lambda old: replace(old, status=Status.RUNNING, ended_at=None))
    return LiveRun(run)


def flag(run: Path, place: Place, **changes: object) -> None:
    policy = policies.load()
    promotion = replace(policy.promotion, **changes)
    FlagForPromotion(as_running(run), replace(policy, promotion=promotion), *place).judge()


def test_run_that_passes_every_gate_is_a_candidate(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    flag(run, place)
    promotion = store.read(run).promotion
    assert promotion.candidate
    assert promotion.reason == f"passed all {len(promotion.gates)} gates"
    assert promotion.policy == "default"
    assert store.read(run).history[-1].what == "flagged as candidate"


@pytest.mark.parametrize("wrong", [{"data": {"synthetic": True}}, {"category": "debug"}], ids=["synthetic", "debug"])
def test_run_that_fails_a_gate_is_no_candidate(world: World, place: Place, wrong: dict[str, object]) -> None:
    run = a_trained_run(*place, world, **wrong)
    flag(run, place)
    promotion = store.read(run).promotion
    assert promotion.candidate is False
    assert "failed: the " in promotion.reason


def test_flag_and_promotion_have_the_same_verdicts(world: World, place: Place) -> None:
    run = a_trained_run(*place, world)
    flag(run, place)
    gates_of_flag = store.read(run).promotion.gates
    store.update(run, lambda old: replace(old, status=Status.COMPLETED))
    verdict = judge(
        Request(run=run, by="", reason=""), outputs=place[0], models=place[1], policy=policies.load().promotion
    )
    assert gates_of_flag == verdict.gates
    assert {gate.verdict for gate in gates_of_flag} == {gates.PASSED}


def test_training_states_that_no_class_is_marked(world: World, place: Place, caplog: pytest.LogCaptureFixture) -> None:
    flag(a_trained_run(*place, world), place)
    assert "no class is marked as high-risk" in caplog.text
    assert "'data.high_risk=[suicidal]' (proposed by the name)" in caplog.text
    caplog.clear()
    flag(a_trained_run(*place, world, "marked_20261120_130000_b2c3", data={"high_risk": ["suicidal"]}), place)
    assert "high-risk" not in caplog.text


def test_policy_without_approval_promotes_automatically(world: World, place: Place) -> None:
    flag(a_trained_run(*place, world), place, require_manual_approval=False)
    (entry,) = ledger.verified_entries(place[1])
    assert entry.what == "promoted"
    assert entry.by.startswith("policy custom ")


def test_policy_promotes_no_run_that_fails_a_gate(world: World, place: Place) -> None:
    flag(a_trained_run(*place, world, data={"synthetic": True}), place, require_manual_approval=False)
    assert ledger.verified_entries(place[1]) == []


def test_error_while_judging_is_logged_and_not_raised(
    world: World, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    run = as_running(a_trained_run(*place, world))
    place[1].mkdir(exist_ok=True)
    (place[1] / ledger.FILE).write_text("nonsense\n")
    with caplog.at_level(logging.WARNING):
        FlagForPromotion(run, policies.load(), *place).on_test_end(None, None)  # type: ignore[arg-type]
    assert "The run was not judged: The ledger" in caplog.text
    assert store.read(run.folder).promotion.candidate is None


def test_run_without_a_test_split_is_no_candidate(world: World, place: Place) -> None:
    splits = {name: split for name, split in world.facts.splits.items() if name != "test"}
    run = as_running(a_trained_run(*place, world, data={"splits": splits}))
    FlagForPromotion(run, policies.load(), *place).on_fit_end(None, None)  # type: ignore[arg-type]
    promotion = run.record().promotion
    assert (promotion.candidate, promotion.reason) == (False, "the data has no test split to judge on")


def test_empty_folder_names_are_refused(place: Place) -> None:
    with pytest.raises(BadConfig, match="needs outputs and models"):
        FlagForPromotion(LiveRun(place[0]), policies.load(), "", place[1])
