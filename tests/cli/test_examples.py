"""The example in the help of every command is a command line that runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mhc.cli.main import cli
from tests.support.builders import a_run
from tests.support.old_files import whole_project
from tests.support.typed import typed

ID = "attention_20261120_120000_a1b2"
COMMANDS = (
    "archive", "restore", "pin", "unpin", "tag", "note", "reclassify", "cleanup", "purge", "stop", "doctor", "rebuild",
    "import", "reproduce", "export", "tensorboard", "serve",
)  # fmt: skip
REFUSED = ("stop",)
"""Their example needs a live run; the refusal shows that the example was understood."""


@pytest.mark.parametrize("command", COMMANDS)
def test_example_in_the_help_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = a_run(
        tmp_path / "outputs", location="archived" if command == "restore" else "active", pinned=command == "unpin"
    )
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.1").touch()
    whole_project(tmp_path / "old_project")
    definition = cli.get_command(cli.make_context("mhc", ["--help"], resilient_parsing=True), command)
    assert definition is not None
    assert definition.help is not None
    example = re.search(r"Example: mhc (.+)", definition.help)
    assert example, f"The help of mhc {command} has no example"
    answer = typed(capsys, tmp_path, *shlex.split(example[1]))
    expected = 1 if command in REFUSED else 0
    assert (answer.code, "there is nothing to stop" in answer.err) == (expected, command in REFUSED), answer.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer = typed(capsys, tmp_path, command, "--help")
    assert answer.code == 0
    assert max(len(line) for line in answer.out.splitlines()) <= 80
