"""Cleanup: which runs of a folder are archived, and races with other processes."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import msgspec

from mhc import policy
from mhc.record import Location, Status
from mhc.retention import cleanup, rules
from mhc.runs import folders, liveness, move_log, store
from tests.support.builders import NOW, a_run, process

POLICY = policy.load()


def clean(tmp_path: Path, current: str | None = None) -> list[str]:
    moved = cleanup.clean(tmp_path / "outputs", tmp_path / "models", POLICY, now=NOW, by="a test", current=current)
    return [item.record.id for item in moved]


def debug_runs(outputs: Path, count: int) -> list[Path]:
    return [
        a_run(outputs, f"d_20261101_0000{number:02d}_0000", category="debug", created=NOW - timedelta(days=9 - number))
        for number in range(count)
    ]


def test_old_debug_runs_are_moved_and_the_move_is_logged(tmp_path: Path) -> None:
    runs = debug_runs(tmp_path / "outputs", 5)
    assert clean(tmp_path) == [runs[0].name, runs[1].name]
    assert {folder for folder, place in folders.iter_runs(tmp_path / "outputs") if place is Location.ACTIVE} == set(
        runs[2:]
    )
    entry = move_log.read(tmp_path / "outputs")[0]
    assert (entry.run, entry.what, entry.by) == (runs[0].name, "archived", "a test")
    assert entry.why == "to archive_debug: debug runs: there are more than 3"
    assert clean(tmp_path) == []


def test_killed_run_is_recorded_as_lost_before_it_is_archived(tmp_path: Path) -> None:
    dead = msgspec.structs.replace(liveness.this_process(), pid=99_999_999)
    run = a_run(tmp_path / "outputs", status="running", created=NOW - timedelta(days=9), process=dead)
    assert clean(tmp_path) == [run.name]
    record = store.read(tmp_path / "outputs" / "archive_baseline" / run.name)
    assert (record.status, record.history[-1].what, record.history[-1].by) == (Status.LOST, "lost", "a test")


def test_running_runs_of_this_and_other_hosts_are_skipped(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    a_run(out, "a", status="running", created=NOW - timedelta(days=99), process=liveness.this_process())
    a_run(out, "b", status="running", created=NOW - timedelta(days=99), process=process(host="node17"))
    assert clean(tmp_path) == []


def test_run_that_changed_since_the_decision_is_skipped(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    runs = debug_runs(out, 4)
    due = rules.due_for_archive(cleanup.active_runs(out, POLICY.liveness), POLICY.archiving, NOW)
    store.update(runs[0], lambda record: msgspec.structs.replace(record, pinned=True))
    assert cleanup.carry_out(due, out, POLICY.liveness, now=NOW, by="a test") == []
    assert runs[0].is_dir()


def test_run_that_another_cleanup_moved_first_is_no_error(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    debug_runs(out, 5)
    due = rules.due_for_archive(cleanup.active_runs(out, POLICY.liveness), POLICY.archiving, NOW)
    assert len(cleanup.carry_out(due, out, POLICY.liveness, now=NOW, by="first")) == 2
    assert cleanup.carry_out(due, out, POLICY.liveness, now=NOW, by="second") == []
    assert len(move_log.read(out)) == 2


def test_run_that_a_bundle_came_from_is_skipped(tmp_path: Path) -> None:
    runs = debug_runs(tmp_path / "outputs", 4)
    bundle = tmp_path / "models" / "production" / "crisis_v2"
    bundle.mkdir(parents=True)
    shutil.copy(runs[0] / "run.json", bundle / "run.json")
    assert clean(tmp_path) == []


def test_unreadable_record_is_skipped(tmp_path: Path) -> None:
    runs = debug_runs(tmp_path / "outputs", 4)
    (runs[0] / "run.json").write_bytes(b"{")
    assert clean(tmp_path) == []
    assert (runs[0] / "run.json").read_bytes() == b"{"


def test_size_of_a_run_is_the_size_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x").write_bytes(b"1" * 10)
    (tmp_path / "a" / "b" / "y").write_bytes(b"1" * 5)
    assert cleanup.size_of(tmp_path / "a") == 15


def test_truncated_line_of_the_move_log_does_not_hide_others(tmp_path: Path) -> None:
    move_log.add(tmp_path, run="a", what="archived", by="x", why="", now=NOW)
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"at": "2026\n')
    move_log.add(tmp_path, run="b", what="restored", by="x", why="", now=NOW)
    assert [entry.run for entry in move_log.read(tmp_path)] == ["a", "b"]
    assert move_log.read(tmp_path / "missing") == []
