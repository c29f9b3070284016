"""The closing page of a training, in a pipe and on a narrow terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from mhc.record import Gate
from mhc.report import closing_page
from mhc.runs import store
from tests.support.builders import a_run, data_facts

REASON = "the recall of the class depression is 0.080, and the policy asks for at least 0.400 of every high-risk class"
GATES = [
    Gate(name="completed", verdict="passed", reason="the run is completed"),
    Gate(name="recall.depression", verdict="failed", reason=REASON),
    Gate(name="calibration", verdict="not enough evidence", reason="30 rows"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_run(tmp_path, "a_run_with_a_long_name_20261120_120000_0000", candidate=False, gates=GATES)


def page(capsys: pytest.CaptureFixture[str], folder: Path, *, gates: bool) -> list[str]:
    closing_page.show(store.read(folder), folder, gates=gates)
    return [line.rstrip() for line in capsys.readouterr().err.splitlines()]


def test_missed_gates_have_a_line_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = page(capsys, folder, gates=False)
    start = lines.index("not a candidate: 2 of 3 gates not passed")
    assert lines[start + 1 : start + 3] == [
        f"  recall.depression failed: {REASON}",
        "  calibration not enough evidence: 30 rows",
    ]


def test_what_was_found_in_the_data_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = data_facts(reading=["one text makes up 28%"], cleaning={"empty_texts": 2})
    lines = page(capsys, a_run(tmp_path, "found_20261120_120000_0000", data=data), gates=False)
    start = lines.index("Data   one text makes up 28%")
    assert lines[start + 1] == "       rows left out: 2 empty texts"


def test_nothing_is_wrapped_in_a_pipe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = page(capsys, folder, gates=True)
    assert [line for line in lines if line.endswith(REASON)] != []
    assert [line for line in lines if line.startswith("  recall")] == [], "the table has it"


def test_commands_are_not_broken_on_a_narrow_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "40")
    lines = page(capsys, folder, gates=False)
    (command,) = [line for line in lines if "mhc.predict" in line]
    assert command.strip() == f'python -m mhc.predict run={folder.name} text="..."'
    assert not any(REASON in line for line in lines), "sentences are wrapped"
