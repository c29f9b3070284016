"""After a training: the report in its folder costs nothing but time, and nobody misses a run that was archived."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mhc.runs.live import LiveRun
from mhc.training import completed
from tests.support.measured import a_measured_run

ID = "solo_20261120_120000_0001"


def test_report_of_a_run_is_written_into_its_folder(tmp_path: Path) -> None:
    folder = a_measured_run(tmp_path, ID)
    completed.write_report(LiveRun(folder))
    content = (folder / "report.html").read_text()
    assert content.count("Confusion matrix on") >= 2
    assert ID in content


def test_report_that_cannot_be_written_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = a_measured_run(tmp_path, ID)
    (folder / "report.html").mkdir()
    (folder / "evaluation" / "val.npz").write_bytes(b"torn")
    with caplog.at_level(logging.WARNING):
        completed.write_report(LiveRun(folder))
    [message] = caplog.messages
    assert message.startswith("The report was not written: ")
    assert message.endswith(f"Write it with: mhc report {ID}")
    assert not list(folder.glob(".report*"))


def test_report_of_a_run_without_results_is_short(tmp_path: Path) -> None:
    folder = a_measured_run(tmp_path, ID, data=None, model=None, status="failed")
    for file in ("metrics.csv", "evaluation/val.npz", "evaluation/test.npz"):
        (folder / file).unlink()
    completed.write_report(LiveRun(folder))
    assert "No split was scored" in (folder / "report.html").read_text()


def test_run_archived_since_it_completed_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_measured_run(tmp_path / "outputs", ID)
    run = LiveRun(folder)
    folder.rename(tmp_path / "elsewhere")
    with caplog.at_level("INFO"):
        completed.show_closing_page(run, gates=False)
    assert [record.getMessage() for record in caplog.records] == [
        f"Run {folder.name} was moved since it completed. Show it with: mhc details {folder.name}"
    ]
    assert capsys.readouterr().err == ""
