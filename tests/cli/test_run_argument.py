"""Every command that takes a run resolves the end of its id (`a1b2`), which docs/cli.md promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mhc.cli.command_table import COMMANDS
from mhc.cli.main import cli
from mhc.cli.run_argument import RunId
from mhc.record import Location
from tests.cli.conftest import Answer
from tests.support.builders import a_run

Mhc = Callable[..., Answer]

ID = "attention_20261120_120000_a1b2"
END = "a1b2"
OTHER = "focal_20261120_130000_c3d4"


class Case(NamedTuple):
    """A command with the end of an id, and what it prints about the run."""

    words: list[str]
    output: str
    code: int = 0
    location: Location = Location.ACTIVE


ANSWERED = {
    "archive": Case(["archive", END, "--dry-run"], f"{ID} would be archived to archived\n"),
    "compare": Case(["compare", END, "c3d4"], f"\t{ID}\t{OTHER}\n"),
    "details": Case(["details", END], f"{ID}\nstatus\tcompleted\n"),
    "details --diff": Case(["details", "c3d4", "--diff", END], f"\t{OTHER}\t{ID}\n"),
    "log --run": Case(["log", "--run", END], f"\t{ID}\tcompleted\t"),
    "note": Case(["note", END, "learning rate too high"], f"{ID}: noted\n"),
    "pin": Case(["pin", END], f"{ID}: pinned\n"),
    "reclassify": Case(["reclassify", END, "--to", "debug"], f"{ID}: baseline -> debug because "),
    "report": Case(["report", END, "--format", "md"], "1 run in report.md\n"),
    "reproduce": Case(["reproduce", END], "python -m mhc.train model=baseline seed=1\n"),
    "restore": Case(["restore", END, "--dry-run"], f"{ID} would be restored to ", location=Location.ARCHIVED),
    "tag": Case(["tag", END, "--add", "paper"], f"{ID}: tagged\n"),
    "tensorboard": Case(["tensorboard", END, "--dry-run"], f"/{ID}/tensorboard\n"),
    "unpin": Case(["unpin", END], f"{ID}: nothing to change\n"),
}
REFUSED = {
    "errors": Case(["errors", END], f"outputs/{ID}/evaluation/test.npz", code=1),
    "archive": Case(["archive", END], f"Run {ID} is archived already", code=1, location=Location.ARCHIVED),
    "promote": Case(
        ["promote", END, "--dry-run"], f"{ID} would not be promoted: The run {ID} has no recorded checkpoint", code=1
    ),
    "refuse": Case(["refuse", END, "--dry-run"], f"{ID} is no candidate, so there is nothing to refuse", code=1),
    "restore": Case(["restore", END], f"Run {ID} is not archived", code=1),
    "stop": Case(["stop", END], f"Run {ID} is completed", code=1),
}


def write_runs(outputs: Path, location: Location) -> None:
    """Write two runs, with TensorBoard logs; the first is at `location`."""
    for folder in (a_run(outputs, ID, location=location), a_run(outputs, OTHER, model="medium", seed=2)):
        (folder / "tensorboard").mkdir()
        (folder / "tensorboard" / "events.out.tfevents.1").touch()


@pytest.mark.parametrize("case", ANSWERED.values(), ids=ANSWERED)
def test_end_of_the_id_selects_the_run(mhc: Mhc, outputs: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    write_runs(outputs, case.location)
    monkeypatch.chdir(outputs.parent)
    answer = mhc(*case.words)
    assert (answer.code, answer.err.count("No run")) == (0, 0), answer.err
    assert case.output in answer.out
    assert OTHER not in answer.out or "c3d4" in case.words


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refusal_names_the_run_that_the_end_selects(mhc: Mhc, outputs: Path, case: Case) -> None:
    write_runs(outputs, case.location)
    answer = mhc(*case.words)
    assert (answer.code, OTHER in answer.err) == (case.code, False)
    assert case.output in answer.err


@pytest.mark.parametrize("words", [case.words for case in ANSWERED.values()], ids=ANSWERED)
def test_end_that_several_runs_share_is_refused(mhc: Mhc, outputs: Path, words: list[str]) -> None:
    write_runs(outputs, Location.ACTIVE)
    a_run(outputs, "medium_20261120_140000_a1b2")
    answer = mhc(*words)
    assert answer.code == 1
    assert f"2 runs match {END!r}" in answer.err


def test_every_command_that_takes_a_run_is_tested() -> None:
    context = cli.make_context("mhc", ["--help"], resilient_parsing=True)
    with_run = set()
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        if any(isinstance(parameter.type, RunId) for parameter in command.params):
            with_run.add(name)
    assert with_run == {case.words[0] for case in (*ANSWERED.values(), *REFUSED.values())}
