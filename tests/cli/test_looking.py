"""mhc candidates, search, log, summary and watch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from mhc.record import Event, Status
from mhc.report.progress_line import EpochProgress, read_progress, time_left
from mhc.runs import move_log, store
from mhc.runs.liveness import this_process
from mhc.timestamps import format_time
from tests.cli.conftest import Answer, Screen
from tests.support.builders import NOW, a_run, a_tree
from tests.support.programs import ROOT

Mhc = Callable[..., Answer]


def rows(answer: Answer) -> list[list[str]]:
    assert answer.code == 0, answer.err
    return [line.split("\t") for line in answer.out.splitlines()[1:]]


def test_candidates_are_shown_best_first_with_the_evidence(mhc: Mhc, tree: Path) -> None:
    assert [row[:8] for row in rows(mhc("candidates"))] == [
        ["focal_20261120_130000_c3d4", "0.660", "0.660", "0.700", "0.660 anxiety", "0.070", "-", "1/1"],
        ["attention_20261120_120000_a1b2", "0.580", "0.580", "0.620", "0.580 anxiety", "0.070", "-", "1/1"],
    ]


def test_candidates_all_shows_why_the_others_are_none(mhc: Mhc, tree: Path) -> None:
    lines = mhc("candidates", "--all").out.splitlines()
    assert "focal_20261120_140000_e5f6\t0.400\trecall (failed): depression is found in 0.08" in lines
    assert "debug_loader_20261120_150000_0007\t0.580\tnot judged" in lines
    assert [record["id"][:5] for record in json.loads(mhc("candidates", "--json").out)] == ["focal", "atten"]


def test_missing_candidates_are_reported(mhc: Mhc, outputs: Path) -> None:
    assert "No candidate in" in mhc("candidates").err


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["label", "SMOOTHING"], ["focal_20261120_130000_c3d4"]),
        (["paper"], ["attention_20261120_120000_a1b2"]),
        (["name: micro"], ["gone_20261120_180000_000a"]),
        (["model=medium"], ["focal_20261120_130000_c3d4"]),
        (["focal", "paper"], []),
        (["lr: 0.0003", "e5f6"], ["focal_20261120_140000_e5f6"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_search_finds_all_words_in_notes_tags_ids_and_configs(
    mhc: Mhc, tree: Path, words: list[str], ids: list[str]
) -> None:
    answer = mhc("search", *words)
    assert [line.split("\t")[0] for line in answer.out.splitlines()[1:]] == ids
    assert [record["id"] for record in json.loads(mhc("search", "--json", *words).out)] == ids


def test_search_shows_the_lines_with_the_words(mhc: Mhc, tree: Path) -> None:
    assert rows(mhc("search", "smoothing", "lr: 0.0003"))[0][2] == "label smoothing 0.1; model.optimizer.lr: 0.0003"


def test_log_shows_events_and_moves_in_order_of_time(mhc: Mhc, outputs: Path) -> None:
    a_tree(outputs, 2)
    move_log.add(outputs, run="run_x", what="archived", by="ada", why="old", now=NOW + timedelta(days=1))
    lines = rows(mhc("log"))
    assert [row[2] for row in lines] == ["registered", "completed", "registered", "completed", "archived"]
    assert lines[-1] == ["2026-11-21 12:00:00", "run_x", "archived", "old", "ada"]
    assert [row[2] for row in rows(mhc("log", "--limit", "2"))] == ["completed", "archived"]
    assert [row[2] for row in rows(mhc("log", "--since", "2026-11-20T11:05"))] == ["completed", "archived"]
    assert len(rows(mhc("log", "--run", "run_20261120_110000_0001"))) == 2
    assert json.loads(mhc("log", "--json", "--limit", "1").out)[0]["why"] == "old"


def test_log_follows_new_events(outputs: Path) -> None:
    folder = a_run(outputs, created=datetime.now(UTC) - timedelta(hours=1))
    process = subprocess.Popen(
        [sys.executable, "-m", "mhc.cli.main", "--outputs", str(outputs), "log", "--follow"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    assert [process.stdout.readline().split("\t")[2] for _ in range(3)] == ["what", "registered", "completed"]
    store.update(folder, lambda record: record, Event(at=format_time(datetime.now(UTC)), what="tagged", by="ada"))
    assert process.stdout.readline().split("\t")[2] == "tagged"
    process.terminate()
    process.communicate(timeout=30)


def test_summary_shows_counts_best_runs_and_problems(mhc: Mhc, tree: Path) -> None:
    (a_run(tree, "torn") / "run.json").write_bytes(b"{")
    lines = mhc("summary").out.splitlines()
    assert lines[0] == "8 runs: 5 completed, 1 failed, 1 interrupted, 1 lost"
    assert lines[1] == "7 baseline, 1 debug; 2 candidates"
    assert lines[3:5] == [
        "best on mh4_balanced, by macro-F1 on validation:",
        "  focal_20261120_130000_c3d4  val 0.660  test 0.660",
    ]
    assert lines[-1] == "1 folder cannot be read. See: mhc doctor"
    state = json.loads(mhc("summary", "--json").out)
    assert (state["total"], list(state["unreadable"])) == (8, ["torn"])


def test_summary_without_runs(mhc: Mhc, outputs: Path) -> None:
    assert mhc("summary").out == "No runs yet.\n"


LOG = """2026-11-20 12:00:00,000 INFO mhc.runs Run x registered
2026-11-20 12:05:00,000 INFO mhc.progress epoch 1/12  loss 0.9  val macro-F1 0.300 (best)  9.8k tokens/s  55:00 left
2026-11-20 12:10:00,000 INFO mhc.progress epoch 2/12  loss 0.7  val macro-F1 0.412 (best)  9.9k tokens/s  50:00 left
2026-11-20 12:10:01,000 INFO mhc.runs something else
"""


def test_progress_is_read_from_the_last_progress_line(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    (tmp_path / "train.log").write_text("x" * 30_000 + LOG)
    assert read_progress(tmp_path) == EpochProgress(2, 12, "loss 0.7  val macro-F1 0.412 (best)  9.9k tokens/s")


def test_time_left_covers_the_remaining_epochs() -> None:
    seconds = time_left(EpochProgress(2, 12, ""), NOW, NOW + timedelta(minutes=10))
    assert seconds == pytest.approx(600 / 2.5 * 9.5)
    assert time_left(EpochProgress(12, 12, ""), NOW, NOW + timedelta(minutes=10)) == 0
    assert time_left(EpochProgress(0, 12, ""), NOW, NOW + timedelta(minutes=10)) is None


def test_watch_shows_progress_and_last_metrics_of_live_runs(mhc: Mhc, outputs: Path) -> None:
    a_tree(outputs, 2)
    folder = a_run(outputs, "live", status="running", process=this_process(), created=datetime.now(UTC))
    (folder / "train.log").write_text(LOG)
    (row,) = rows(mhc("watch", "--once"))
    assert row[:2] == ["live", "running"]
    assert row[3] == "2/12"
    assert row[5] == "loss 0.7 val macro-F1 0.412 (best) 9.9k tokens/s"
    assert [record["id"] for record in json.loads(mhc("watch", "--json").out)] == ["live"]


def test_watch_ends_with_the_last_run(outputs: Path) -> None:
    folder = a_run(outputs, "live", status="running", process=this_process(), created=datetime.now(UTC))
    process = subprocess.Popen(
        [sys.executable, "-m", "mhc.cli.main", "--outputs", str(outputs), "watch", "--every", "0.2"],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    assert [process.stdout.readline().split("\t")[1] for _ in range(2)] == ["status", "running"]
    store.update(
        folder, lambda record: msgspec.structs.replace(record, status=Status.COMPLETED, ended_at=format_time(NOW))
    )
    rest, _ = process.communicate(timeout=60)
    assert rest.splitlines()[-1].split("\t")[1] == "completed"
    assert process.returncode == 0


def test_watch_without_running_runs_reports_it(mhc: Mhc, outputs: Path) -> None:
    assert mhc("watch").err == f"Nothing is running in {outputs}.\n"


@pytest.mark.parametrize("words", [["candidates", "--all"], ["search", "focal"], ["log"], ["summary"], ["watch"]])
@pytest.mark.parametrize("columns", [80, 120])
def test_commands_fit_the_terminal(terminal: Callable[..., Screen], tree: Path, words: list[str], columns: int) -> None:
    screen = terminal(*words, columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns
