"""`mhc promote, alias, rollback, retire, history, champion, verify, publish, card` on a tree of real runs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mhc.cli.main import cli
from mhc.production.decision import Request
from mhc.production.promote import promote
from tests.support.promotions import NOW, World, a_trained_run, make_world, policy

Mhc = Callable[..., Any]
STRONG, WEAK = "strong_20261120_130000_bbbb", "weak_20261120_120000_aaaa"
WHO = ("--by", "ada", "--reason", "best of the week")
COMMANDS = ("promote", "alias", "rollback", "retire", "history", "champion", "verify", "publish", "card")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def runs(tmp_path: Path, world: World) -> None:
    a_trained_run(tmp_path / "outputs", tmp_path / "models", world, WEAK, quality="weak")
    a_trained_run(tmp_path / "outputs", tmp_path / "models", world, STRONG, description="<b>\x1b[31mred")


@pytest.mark.usefixtures("runs")
def test_rollback_restores_the_previous_champion(mhc: Mhc) -> None:
    first = mhc("promote", "weak", *WHO)
    assert first.code == 0
    assert "weak_20261120_120000_aaaa is promoted as weak_v1" in first.out
    second = mhc("promote", "strong", *WHO)
    assert "of weak_v1 on the same 240 examples" in second.out
    assert "strong_v1" in mhc("champion").out
    assert mhc("rollback", "--by", "bob", "--reason", "worse in the field").out == (
        "weak_v1 is champion again, instead of strong_v1\n"
    )
    assert mhc("history").out.count("\n") == 3
    assert re.search(
        r"champion rolled back to weak_v1 \(was strong_v1\) by bob: worse in the field", mhc("history").out
    )
    assert mhc("verify").out.startswith("Intact: 3 ledger entries, 2 bundles")
    assert mhc("history", "bbbb").out == mhc("history", "strong_2026").out == mhc("history", STRONG).out
    assert mhc("history", "bbbb").out.count("\n") == 1
    assert mhc("history", "nobody").out == "Nothing is recorded of nobody.\n"
    assert json.loads(mhc("champion", "--json").out)[0]["name"] == "weak_v1"
    assert mhc("champion", "--at", "2020-01-01").out.startswith("No champion on 2020-01-01")


@pytest.mark.usefixtures("runs")
def test_dry_run_shows_every_gate_and_changes_nothing(mhc: Mhc, tmp_path: Path) -> None:
    answer = mhc("promote", "strong", "--dry-run")
    assert answer.code == 0
    assert "not_worse_than_champion" in answer.out
    assert answer.out.endswith(f"{STRONG} would be promoted as strong_v1\n")
    assert not (tmp_path / "models" / "production").exists()


@pytest.mark.usefixtures("runs")
def test_dry_run_names_a_checkpoint_that_is_missing(mhc: Mhc, tmp_path: Path) -> None:
    (checkpoint,) = (tmp_path / "outputs" / STRONG).rglob("*.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    answer = mhc("promote", "strong", "--dry-run", "--force")
    assert (answer.code, f"{STRONG} would not be promoted: " in answer.err) == (1, True)
    assert "The checkpoint " in answer.err


def test_refusal_is_a_sentence_and_exit_code_1(mhc: Mhc, tmp_path: Path, world: World) -> None:
    a_trained_run(tmp_path / "outputs", tmp_path / "models", world, STRONG, data={"synthetic": True})
    answer = mhc("promote", "strong", *WHO)
    assert answer.code == 1
    assert f"{STRONG} was not promoted:\n  real_data: failed:" in answer.err
    assert "Overrule the gates with mhc promote --force and a reason" in answer.err
    assert "refused (real_data: failed" in mhc("history").out
    assert mhc("promote", "strong", "--dry-run").code == 1
    forced = mhc("promote", "strong", "--force", "--by", "ada", "--reason", "a demonstration")
    assert "is promoted by force as strong_v1" in forced.out
    assert "strong_v1 promoted by force" in mhc("history").out
    assert "Promoted by force" in mhc("card").out


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("promote", "strong"), "needs an author and a reason"),
        (("promote", "nobody", *WHO), "No run 'nobody'"),
        (("promote", "strong", "--name", "../x", *WHO), "cannot name a bundle or an alias"),
        (("promote", "strong", "--answer", "nonsense", *WHO), "--answer needs the gate and the answer"),
        (("rollback", *WHO), "No bundle and no alias 'champion'"),
        (("retire", "nobody", *WHO), "No bundle and no alias 'nobody'"),
        (("card", "nobody"), "No bundle and no alias 'nobody'"),
        (("champion", "--at", "soon"), "'soon' is no date"),
    ],
)
def test_wrong_arguments_are_refused(mhc: Mhc, words: tuple[str, ...], sentence: str) -> None:
    answer = mhc(*words)
    assert (answer.code, sentence in answer.err) == (1, True), answer.err


@pytest.mark.usefixtures("runs")
def test_verify_exits_with_1_after_tampering(mhc: Mhc, tmp_path: Path) -> None:
    mhc("promote", "strong", *WHO)
    path = tmp_path / "models" / "production" / "strong_v1" / "README.md"
    path.write_text(path.read_text() + "and it cures")
    answer = mhc("verify")
    assert answer.code == 1
    assert "strong_v1: README.md was changed" in answer.out
    assert "1 wrong, 0 left over" in answer.err
    assert mhc("verify", "--fix").code == 1
    assert mhc("card").code == 1
    assert json.loads(mhc("verify", "--json").out)["wrong"] == ["strong_v1: README.md was changed"]


@pytest.mark.usefixtures("runs")
def test_user_texts_never_reach_the_terminal_raw(mhc: Mhc) -> None:
    refused = mhc("promote", "strong", "--by", "a\x1b[31mda", "--reason", "x\x1b]0;owned\x07")
    assert (refused.code, "\x1b" in refused.err) == (1, False)
    assert mhc("promote", "strong", *WHO).code == 0
    for words in (("history",), ("history", "--json"), ("card",), ("champion",), ("details", STRONG)):
        answer = mhc(*words)
        assert answer.code == 0
        assert "\x1b" not in answer.out + answer.err


@pytest.mark.usefixtures("runs")
def test_line_break_in_a_reason_begins_no_entry_of_history(mhc: Mhc) -> None:
    forged = "2026-01-01T00:00:00Z  strong_v9 promoted by eve"
    assert mhc("promote", "strong", "--by", "ada", "--reason", f"good\n{forged}").code == 0
    lines = mhc("history").out.splitlines()
    assert lines[0].endswith("by ada: good")
    assert lines[1] == f"{' ' * 24}| {forged}"
    assert len(lines) == 2


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("by", ["ada\n2026-01-01T00:00:00Z  strong_v9 promoted by eve", "ad\udcffa", "a" * 201])
def test_author_that_is_no_name_is_one_sentence(mhc: Mhc, by: str) -> None:
    answer = mhc("promote", "strong", "--by", by, "--reason", "x")
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith("The author (--by) has ")
    assert "a bug in mhc" not in answer.err


@pytest.mark.parametrize("command", COMMANDS)
def test_example_in_the_help_runs(mhc: Mhc, tmp_path: Path, world: World, command: str) -> None:
    run = a_trained_run(tmp_path / "outputs", tmp_path / "models", world)
    for alias in ("champion", "champion", "challenger"):
        request = Request(run=run, by="ada", reason="x", alias=alias)
        promote(request, outputs=tmp_path / "outputs", models=tmp_path / "models", policy=policy(), now=NOW)
    context = cli.make_context("mhc", ["--help"], resilient_parsing=True)
    definition = cli.get_command(context, command)
    assert definition is not None
    for each in (definition, *getattr(definition, "commands", {}).values()):
        example = re.search(r"Example: mhc (.+)", each.help or "")
        assert example, f"The help of mhc {command} has no example"
        answer = mhc(*shlex.split(example[1]))
        assert answer.code == 0, answer.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(mhc: Mhc, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, mhc(command, "--help").out.splitlines())) <= 80
