"""`mhc candidates` offers what `mhc promote` takes; `mhc promote` states what would change a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mhc.record import Promotion
from tests.support.promotions import World, a_trained_run, make_world

Mhc = Callable[..., Any]
STRONG, WEAK = "strong_20261120_130000_bbbb", "weak_20261120_120000_aaaa"
WHO = ("--by", "ada", "--reason", "best of the week")
FLAGGED = Promotion(candidate=True, reason="passed all 17 gates", policy="default")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def runs(tmp_path: Path, world: World) -> None:
    for name, quality in ((WEAK, "weak"), (STRONG, "strong")):
        a_trained_run(tmp_path / "outputs", tmp_path / "models", world, name, quality=quality, promotion=FLAGGED)


def ids(answer: Any) -> list[str]:
    return [record["id"] for record in json.loads(answer.out)]


@pytest.mark.usefixtures("runs")
def test_candidates_leave_out_the_champion_and_worse_runs(mhc: Mhc) -> None:
    assert sorted(ids(mhc("candidates", "--json"))) == [STRONG, WEAK]
    assert mhc("promote", "strong", *WHO).code == 0
    assert ids(mhc("candidates", "--json")) == []
    assert mhc("promote", "weak", *WHO).code == 1
    answer = mhc("candidates")
    assert "2 more would not be promoted now. See why with: mhc candidates --all" in answer.err
    shown = mhc("candidates", "--all").out
    assert "it is the champion already, as strong_v1" in shown
    assert "not_worse_than_champion failed: macro-F1" in shown


@pytest.mark.usefixtures("runs")
def test_better_run_stays_a_candidate(mhc: Mhc) -> None:
    assert mhc("promote", "weak", *WHO).code == 0
    assert ids(mhc("candidates", "--json")) == [STRONG]


@pytest.mark.usefixtures("runs")
def test_candidate_by_another_policy_is_judged_again(mhc: Mhc) -> None:
    assert ids(mhc("--policy", "strict", "candidates", "--json")) != [STRONG, WEAK]


@pytest.mark.usefixtures("runs")
def test_candidate_without_its_checkpoint_is_not_offered(mhc: Mhc, tmp_path: Path) -> None:
    (tmp_path / "outputs" / STRONG / "checkpoints" / "best.ckpt").unlink()
    assert ids(mhc("candidates", "--json")) == [WEAK]
    assert "its checkpoint checkpoints/best.ckpt is missing" in mhc("candidates", "--all").out


@pytest.mark.usefixtures("runs")
def test_unmarked_classes_are_stated_with_the_key(mhc: Mhc) -> None:
    sentence = "no class is marked as high-risk; mark those that must not be missed, in training: 'data.high_risk=["
    assert f"{sentence}suicidal]' (proposed by the name)" in mhc("candidates").err
    assert sentence in mhc("promote", "strong", "--dry-run").err


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.usefixtures("runs")
def test_failed_gates_are_shown_in_full_at_80_columns(
    mhc: Mhc, terminal: Callable[..., Any], tmp_path: Path, world: World
) -> None:
    assert mhc("promote", "strong", *WHO).code == 0
    probabilities = np.roll(world.probabilities["strong", "test"], 3, axis=0)
    a_trained_run(
        tmp_path / "outputs", tmp_path / "models", world, "poor_20261120_140000_cccc", probabilities=probabilities
    )
    refused = mhc("promote", "poor", *WHO)
    assert "not_worse_than_champion: failed: macro-F1 " in refused.err
    assert "would change it: a better model; more test rows with the same results would not help" in refused.err
    gates = [line.split("\t") for line in mhc("promote", "poor", "--dry-run").out.splitlines()[1:]]
    screen = terminal("promote", "poor", "--dry-run", columns=80)
    failed = [reason for _, outcome, reason in gates if outcome != "passed"]
    assert len(failed) >= 5
    assert all("would change it" in reason for reason in failed)
    assert all(squeezed(reason) in squeezed("".join(screen.lines)) for reason in failed)


@pytest.mark.usefixtures("runs")
def test_task_is_named_and_its_alias_found_by_name(mhc: Mhc) -> None:
    assert mhc("promote", "weak", *WHO).code == 0
    assert mhc("promote", "strong", *WHO, "--task", "risk", "--name", "risk_v1").code == 0
    assert "anxiety-depression-normal-suicidal" in mhc("champion").out
    assert [bundle["name"] for bundle in json.loads(mhc("champion", "--task", "risk", "--json").out)] == ["risk_v1"]
    assert "# weak\\_v1" in mhc("card").out
    assert "# risk\\_v1" in mhc("card", "--task", "risk").out
    assert "weak_v1" not in mhc("history", "--task", "risk").out
    assert "Choose one with --task NAME" in mhc("rollback", *WHO).err
    assert "No task 'mood'. There are: anxiety-depression-normal-suicidal, risk" in mhc("card", "--task", "mood").err


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("labels", ["Sad", "Sad=", "=sad", "a=b,a=c"])
def test_labels_that_are_no_pairs_are_refused(mhc: Mhc, labels: str) -> None:
    answer = mhc("promote", "strong", *WHO, "--labels", labels)
    assert (answer.code, answer.err.splitlines()[-1]) == (
        1, "--labels needs each label of the run once, with its answer: --labels Sad=sad,ptsd=new",
    )  # fmt: skip
