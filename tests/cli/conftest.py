"""Fixtures of the command-line tests: a function that runs a command, and a tree of runs."""

from __future__ import annotations

import os
import pty
import select
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from mhc.cli.main import run
from mhc.record import Gate
from tests.support.builders import NOW, a_run
from tests.support.programs import Program


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


@pytest.fixture
def mhc(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Return a function that runs a command in this process, in the folders of `tmp_path`: `mhc("list", "--json")`."""
    monkeypatch.delenv("MHC_DEBUG", raising=False)

    def run_command(*words: str) -> Answer:
        capsys.readouterr()
        folders = ["--outputs", str(tmp_path / "outputs"), "--models", str(tmp_path / "models")]
        code = run([*folders, *words])
        output = capsys.readouterr()
        return Answer(code, output.out, output.err)

    return run_command


@pytest.fixture
def tree(outputs: Path) -> Path:
    """Write eight runs of every kind; the ids are those of the examples in the help of the commands."""
    passed = [Gate(name="accuracy", verdict="passed", reason="0.62 is at least 0.55", measured=0.62, threshold=0.55)]
    failed = [Gate(name="recall", verdict="failed", reason="depression is found in 0.08", measured=0.08, threshold=0.2)]
    hour = timedelta(hours=1)
    a_run(outputs, candidate=True, gates=passed, tags=["research", "paper"], group="g1", seed=1)
    a_run(outputs, "focal_20261120_130000_c3d4", created=NOW + hour, accuracy=0.7, f1_macro=0.66, candidate=True,
          gates=passed, group="g1", seed=2, model="medium", note="label smoothing 0.1")  # fmt: skip
    a_run(outputs, "focal_20261120_140000_e5f6", created=NOW + 2 * hour, accuracy=0.5, f1_macro=0.4, candidate=False,
          gates=failed, group="g1", seed=3, sweep="focal_20261120_140000_beef_sweep")  # fmt: skip
    a_run(outputs, "debug_loader_20261120_150000_0007", created=NOW + 3 * hour, category="debug", accuracy=0.9)
    a_run(outputs, "broken_20261120_160000_0008", created=NOW + 4 * hour, status="failed", location="archive_baseline")
    a_run(outputs, "cut_20261120_170000_0009", created=NOW + 5 * hour, status="interrupted")
    a_run(outputs, "gone_20261120_180000_000a", created=NOW + 6 * hour, status="lost", model="micro")
    a_run(outputs, "old_20260101_090000_000b", created=NOW - timedelta(days=300), location="archived", f1_macro=0.3)
    return outputs


class Screen(NamedTuple):
    code: int
    text: str
    """With the escape sequences of colours."""

    @property
    def lines(self) -> list[str]:
        from rich.text import Text

        return [Text.from_ansi(line).plain.rstrip() for line in self.text.replace("\r\n", "\n").split("\n")]


def on_terminal(words: list[str], columns: int, **environment: str) -> Screen:
    """Run a command in a real pseudo-terminal of that width, without a pager unless `environment` names one."""
    controller, terminal = pty.openpty()
    size = {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "60", "PAGER": ""}
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    program = Program("mhc.cli.main", *words, environment=size | environment, **streams)
    os.close(terminal)
    content = b""
    while select.select([controller], [], [], 60)[0]:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # raised by Linux if the other side is closed
            break
        if not chunk:
            break
        content += chunk
    os.close(controller)
    with program:
        return Screen(program.wait(timeout=60), content.decode())


@pytest.fixture
def terminal(tmp_path: Path) -> Callable[..., Screen]:
    def run_command(*words: str, columns: int, **environment: str) -> Screen:
        folders = ["--outputs", str(tmp_path / "outputs"), "--models", str(tmp_path / "models")]
        return on_terminal([*folders, *words], columns, **environment)

    return run_command
