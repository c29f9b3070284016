"""SIGKILL at many points: an audit hook kills the child process just before its n-th file operation."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mhc.production import ledger, state, verify
from mhc.production.api import Registry
from mhc.production.decision import Request
from mhc.production.promote import promote
from tests.support.promotions import World, a_trained_run, policy

FILE_OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}
FORK = multiprocessing.get_context("fork")
NEVER = 10**9
Action = Callable[[Path, Path, Path], object]


def promote_strong(outputs: Path, models: Path, run: Path) -> object:
    return promote(Request(run=run, by="ada", reason="better"), outputs=outputs, models=models, policy=policy())


def roll_back(outputs: Path, models: Path, run: Path) -> object:
    return Registry(models, outputs).rollback(by="ada", reason="worse")


def set_alias(outputs: Path, models: Path, run: Path) -> object:
    return Registry(models, outputs).set_alias("challenger", "weak_v1", by="ada", reason="to be compared")


ACTIONS: dict[str, tuple[Action, int]] = {
    "promote": (promote_strong, 30),
    "rollback": (roll_back, 10),
    "alias": (set_alias, 10),
}
"""The action, and the number of kills: 50 in total."""


def run_child(
    action: Action,
    outputs: Path,
    models: Path,
    run: Path,
    die_at: int,
    counter: multiprocessing.sharedctypes.Synchronized[int],
) -> None:
    """Run the action; die before file operation number `die_at` on anything in the models folder."""

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event in FILE_OPERATIONS and str(models) in str(arguments):
            counter.value += 1
            if counter.value == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    sys.addaudithook(count)
    action(outputs, models, run)


def carry_out(action: Action, outputs: Path, models: Path, run: Path, die_at: int = NEVER) -> tuple[int, int]:
    """Run the action in a child; return its exit code and its number of file operations."""
    counter = FORK.Value("i", 0)
    process = FORK.Process(target=run_child, args=(action, outputs, models, run, die_at, counter))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the child hangs"
    return process.exitcode, counter.value


@pytest.fixture(scope="module")
def prepared(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two weak bundles, the second one champion, and a strong run."""
    root = tmp_path_factory.mktemp("before")
    weak = a_trained_run(root / "outputs", root / "models", world, "weak_20261120_120000_aaaa", quality="weak")
    for _ in range(2):
        promote_strong(root / "outputs", root / "models", weak)
    a_trained_run(root / "outputs", root / "models", world, "strong_20261120_130000_bbbb")
    return root


def facts(models: Path) -> tuple[list[str], list[str], str | None]:
    """Return the kinds of the entries (without moved leftovers), the recorded bundles on the disk, and the champion."""
    production = state.fold(ledger.verified_entries(models))
    [champion] = [aliases.get("champion") for aliases in production.aliases.values()]
    bundles = sorted(name for name in production.bundles if (models / "production" / name).is_dir())
    kinds = [entry.what for entry in ledger.verified_entries(models) if entry.what != "mended"]
    return kinds, bundles, champion


@pytest.mark.slow
@pytest.mark.parametrize(("action", "kills"), ACTIONS.values(), ids=ACTIONS)
def test_kill_leaves_all_or_nothing(prepared: Path, tmp_path: Path, action: Action, kills: int) -> None:
    def fresh(name: str) -> tuple[Path, Path, Path]:
        root = Path(shutil.copytree(prepared, tmp_path / name))
        return root / "outputs", root / "models", root / "outputs" / "strong_20261120_130000_bbbb"

    reference = fresh("whole")
    initial = facts(reference[1])
    code, operations = carry_out(action, *reference)
    final = facts(reference[1])
    assert code == 0
    assert initial != final
    outcomes = []
    for number in range(kills):
        paths = fresh(f"kill{number}")
        code, _ = carry_out(action, *paths, die_at=1 + number * (operations - 1) // (kills - 1))
        assert code == -signal.SIGKILL
        outcome = facts(paths[1])
        assert outcome in (initial, final)
        assert verify.check(paths[1]).wrong == []
        assert verify.fix(paths[1]).ok
        assert facts(paths[1]) == outcome, "a repair must not change the state of production"
        if outcome == initial:
            assert carry_out(action, *paths)[0] == 0
            assert facts(paths[1]) == final, "the action can be repeated after a kill"
        outcomes.append(outcome == final)
        shutil.rmtree(paths[1].parent)
    assert False in outcomes
    assert sorted(outcomes) == outcomes, "from one point on, the change is permanent"


def promote_at_once(outputs: Path, models: Path, run: Path, start: multiprocessing.synchronize.Barrier) -> None:
    start.wait()
    lenient = policy(champion={"margin": 1.0})
    promote(Request(run=run, by=str(os.getpid()), reason="x"), outputs=outputs, models=models, policy=lenient)


@pytest.mark.slow
def test_eight_promotions_at_once_leave_one_champion(world: World, tmp_path: Path) -> None:
    outputs, models = tmp_path / "outputs", tmp_path / "models"
    runs = [a_trained_run(outputs, models, world, f"run_20261120_12000{n}_aaa{n}") for n in range(4)]
    start = FORK.Barrier(8)
    workers = [FORK.Process(target=promote_at_once, args=(outputs, models, runs[n % 4], start)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
    assert [worker.exitcode for worker in workers] == [0] * 8
    entries = ledger.verified_entries(models)
    assert [entry.what for entry in entries] == ["promoted"] * 8
    assert sorted(entry.bundle for entry in entries) == [f"run_v{n}" for n in range(1, 9)]
    assert Registry(models, outputs).champion().name == entries[-1].bundle
    assert verify.check(models).ok
