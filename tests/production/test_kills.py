"""SIGKILL at every kind of place. A child kills itself just before its n-th file operation, told by an audit hook."""

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
Act = Callable[[Path, Path, Path], object]


def promote_strong(outputs: Path, models: Path, run: Path) -> object:
    return promote(Request(run=run, by="ada", why="better"), outputs=outputs, models=models, policy=policy())


def roll_back(outputs: Path, models: Path, run: Path) -> object:
    return Registry(models, outputs).rollback(by="ada", reason="worse")


def set_alias(outputs: Path, models: Path, run: Path) -> object:
    return Registry(models, outputs).set_alias("challenger", "weak_v1", by="ada", reason="to be compared")


ACTS: dict[str, tuple[Act, int]] = {
    "promote": (promote_strong, 30),
    "rollback": (roll_back, 10),
    "alias": (set_alias, 10),
}
"""What is done, and how often it is killed: 50 times in all."""


def child(
    act: Act,
    outputs: Path,
    models: Path,
    run: Path,
    die_at: int,
    done: multiprocessing.sharedctypes.Synchronized[int],
) -> None:
    """Do it; die before file operation number `die_at` on anything in the models folder."""

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event in FILE_OPERATIONS and str(models) in str(arguments):
            done.value += 1
            if done.value == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    sys.addaudithook(count)
    act(outputs, models, run)


def carry_out(act: Act, outputs: Path, models: Path, run: Path, die_at: int = NEVER) -> tuple[int, int]:
    """The child's exit code, and how many file operations it came to."""
    done = FORK.Value("i", 0)
    process = FORK.Process(target=child, args=(act, outputs, models, run, die_at, done))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the child hangs"
    return process.exitcode, done.value


@pytest.fixture(scope="module")
def before(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weak bundles, the second one champion, and a strong run."""
    root = tmp_path_factory.mktemp("before")
    weak = a_trained_run(root / "outputs", root / "models", world, "weak_20261120_120000_aaaa", quality="weak")
    for _ in range(2):
        promote_strong(root / "outputs", root / "models", weak)
    a_trained_run(root / "outputs", root / "models", world, "strong_20261120_130000_bbbb")
    return root


def facts(models: Path) -> tuple[list[str], list[str], str | None]:
    """What production is: the entries' kinds, the bundles on the disk that an entry knows, and the champion."""
    known = state.fold(ledger.believed(models))
    [champion] = [mine.get("champion") for mine in known.aliases.values()]
    there = sorted(name for name in known.bundles if (models / "production" / name).is_dir())
    return [entry.what for entry in ledger.believed(models)], there, champion


@pytest.mark.slow
@pytest.mark.parametrize(("act", "kills"), ACTS.values(), ids=ACTS)
def test_kill_leaves_all_or_nothing(before: Path, tmp_path: Path, act: Act, kills: int) -> None:
    def fresh(name: str) -> tuple[Path, Path, Path]:
        root = Path(shutil.copytree(before, tmp_path / name))
        return root / "outputs", root / "models", root / "outputs" / "strong_20261120_130000_bbbb"

    whole = fresh("whole")
    nothing = facts(whole[1])
    code, operations = carry_out(act, *whole)
    everything = facts(whole[1])
    assert code == 0
    assert nothing != everything
    outcomes = []
    for number in range(kills):
        place = fresh(f"kill{number}")
        code, _ = carry_out(act, *place, die_at=1 + number * (operations - 1) // (kills - 1))
        assert code == -signal.SIGKILL
        found = facts(place[1])
        assert found in (nothing, everything)
        assert verify.check(place[1]).wrong == []
        assert verify.fix(place[1]).ok
        assert facts(place[1]) == found, "mending must not change what production is"
        if found == nothing:
            assert carry_out(act, *place)[0] == 0
            assert facts(place[1]) == everything, "after a kill it can be done again"
        outcomes.append(found == everything)
        shutil.rmtree(place[1].parent)
    assert False in outcomes
    assert sorted(outcomes) == outcomes, "what is there stays, from one point on"


def promote_at_once(outputs: Path, models: Path, run: Path, start: multiprocessing.synchronize.Barrier) -> None:
    start.wait()
    chosen = policy(champion={"margin": 1.0})
    promote(Request(run=run, by=str(os.getpid()), why="x"), outputs=outputs, models=models, policy=chosen)


@pytest.mark.slow
def test_eight_promotions_at_once_are_all_in_the_ledger_and_leave_one_champion(world: World, tmp_path: Path) -> None:
    outputs, models = tmp_path / "outputs", tmp_path / "models"
    runs = [a_trained_run(outputs, models, world, f"run_20261120_12000{n}_aaa{n}") for n in range(4)]
    start = FORK.Barrier(8)
    workers = [FORK.Process(target=promote_at_once, args=(outputs, models, runs[n % 4], start)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
    assert [worker.exitcode for worker in workers] == [0] * 8
    entries = ledger.believed(models)
    assert [entry.what for entry in entries] == ["promoted"] * 8
    assert sorted(entry.bundle for entry in entries) == [f"run_v{n}" for n in range(1, 9)]
    assert Registry(models, outputs).champion().name == entries[-1].bundle
    assert verify.check(models).ok
