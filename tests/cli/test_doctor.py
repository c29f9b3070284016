from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import msgspec
import pytest

from mhc.production import ledger, snapshot
from mhc.runs import store
from mhc.runs.liveness import this_process
from tests.support.builders import NOW, a_record, a_run, a_tree, write_run
from tests.support.typed import contents, typed

ID = "attention_20261120_120000_a1b2"
LONG_AGO = time.time() - 100_000


def aged(path: Path) -> Path:
    os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    return path


def break_something(home: Path, what: str) -> None:  # noqa: C901 (one case each)
    """Create one defect."""
    outputs = home / "outputs"
    outputs.mkdir(exist_ok=True)
    if what == "folder without record":
        (outputs / "empty_20261120_120000_0001").mkdir()
        aged(outputs / "empty_20261120_120000_0001")
    elif what == "unreadable record":
        (a_run(outputs, "torn_20261120_120000_0002") / "run.json").write_text('{"schema": 1, "id"')
    elif what == "moved run":
        a_run(outputs, "named_20261120_120000_0003").rename(outputs / "renamed_20261120_120000_0003")
    elif what == "run twice":
        shutil.copytree(a_run(outputs, "copied_20261120_120000_0004"), outputs / "copy_20261120_120000_0004")
    elif what == "lost run":
        gone = msgspec.structs.replace(this_process(), pid=99_999_999)
        write_run(outputs, a_record("gone_20261120_120000_0005", status="running", process=gone))
    elif what == "temporary file":
        aged_file = a_run(outputs, "draft_20261120_120000_0006") / ".run.json.17.abcdef01"
        aged_file.write_text("{")
        aged(aged_file)
    elif what == "left in the trash":
        a_run(outputs / ".trash", "half_20261120_120000_0007")
    elif what == "link":
        (home / "elsewhere").mkdir()
        (outputs / "link_20261120_120000_0008").symlink_to(home / "elsewhere")
    elif what == "broken-off reproduction":
        (outputs / ".reproducing-x").mkdir()
        aged(outputs / ".reproducing-x")
    elif what == "production":
        (home / "models").mkdir()
        (home / "models" / "ledger.jsonl").write_text('{"seq": 1}\n')
    elif what == "left in production":
        with ledger.changing(home / "models", NOW) as writer:
            writer.append(ledger.draft("refused", "ann", "no"), NOW)
            snapshot.write(home / "models", writer.entries, None, "")
            writer.append(ledger.draft("refused", "ann", "no again"), NOW)


FIXABLE = [
    "folder without record",
    "lost run",
    "temporary file",
    "left in the trash",
    "broken-off reproduction",
    "left in production",
]
NOT_FIXABLE = ["unreadable record", "moved run", "run twice", "link", "production"]


def test_healthy_runs_have_no_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_tree(tmp_path / "outputs", 3)
    a_run(tmp_path / "outputs", location="archived")
    (tmp_path / "outputs" / "starting_20261120_120000_0001").mkdir()
    write_run(tmp_path / "outputs", a_record("live_20261120_120000_0002", status="running", process=this_process()))
    assert typed(capsys, tmp_path, "doctor") == (0, "Nothing is broken.\n", "")


def test_empty_folder_has_no_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(capsys, tmp_path, "doctor").code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", FIXABLE + NOT_FIXABLE)
def test_defect_is_found_and_nothing_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    break_something(tmp_path, what)
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, "doctor", "--json")
    (finding,) = json.loads(answer.out)
    assert (answer.code, finding["what"], finding["fixable"], finding["fixed"]) == (1, what, what in FIXABLE, False)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("what", FIXABLE)
def test_fix_repairs_what_is_safe(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    break_something(tmp_path, what)
    answer = typed(capsys, tmp_path, "doctor", "--fix")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "1 finding, 1 repaired, 0 left.")
    assert typed(capsys, tmp_path, "doctor").code == 0


@pytest.mark.parametrize("what", NOT_FIXABLE)
def test_fix_leaves_what_the_user_must_decide(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    break_something(tmp_path, what)
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, "doctor", "--fix")
    assert (answer.code, answer.out.splitlines()[-1]) == (1, "1 finding, 0 repaired, 1 left.")
    assert contents(tmp_path) == before


def test_fix_records_that_a_run_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_something(tmp_path, "lost run")
    typed(capsys, tmp_path, "doctor", "--fix")
    record = store.read(tmp_path / "outputs" / "gone_20261120_120000_0005")
    assert (record.status.value, record.history[-1].what, record.history[-1].by) == ("lost", "lost", "doctor")


def test_folder_with_files_but_no_record_is_never_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_run(tmp_path / "outputs")
    (folder / "run.json").unlink()
    aged(folder)
    answer = typed(capsys, tmp_path, "doctor", "--fix")
    assert (answer.code, "has files" in answer.out) == (1, True)
    assert (folder / "checkpoints" / "best.ckpt").is_file()


def test_fix_does_not_follow_a_trash_that_is_a_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "outputs").mkdir()
    a_run(tmp_path / "elsewhere")
    (tmp_path / "outputs" / ".trash").symlink_to(tmp_path / "elsewhere")
    typed(capsys, tmp_path, "doctor", "--fix")
    assert (tmp_path / "elsewhere" / ID / "run.json").is_file()


@pytest.mark.parametrize("damage", ["deleted", "torn", "empty", "foreign"])
def test_reading_commands_answer_the_same_after_rebuild(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    a_tree(tmp_path / "outputs", 20)
    a_run(tmp_path / "outputs", location="archived")
    commands = (["list", "--json"], ["details", ID, "--json"], ["search", "attention", "--json"], ["export"])
    before = [typed(capsys, tmp_path, *command).out for command in commands]
    index = tmp_path / "outputs" / ".index.sqlite"
    if damage == "deleted":
        index.unlink()
    else:
        index.write_bytes({"torn": index.read_bytes()[:5000], "empty": b"", "foreign": b"not a database" * 99}[damage])
    answer = typed(capsys, tmp_path, "rebuild")
    assert (answer.code, answer.out.splitlines()[0]) == (0, "21 runs read into the index, 0 unreadable.")
    assert [typed(capsys, tmp_path, *command).out for command in commands] == before


def test_rebuild_derives_the_registry_from_the_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_something(tmp_path, "left in production")
    (tmp_path / "models" / "registry.json").write_text("{")
    answer = typed(capsys, tmp_path, "rebuild", "--dry-run")
    assert (tmp_path / "models" / "registry.json").read_text() == "{"
    answer = typed(capsys, tmp_path, "rebuild")
    assert answer.code == 1
    assert "registry.json cannot be read" in answer.err
    assert "mhc rebuild --by NAME --reason WHY" in answer.err
    assert (tmp_path / "models" / "registry.json").read_text() == "{"
    answer = typed(capsys, tmp_path, "rebuild", "--by", "ada", "--reason", "a disk error")
    assert answer.out.splitlines()[-1].endswith("registry.json rebuilt from 3 ledger entries.")
    assert json.loads((tmp_path / "models" / "registry.json").read_text())["entries"] == 3
    history = typed(capsys, tmp_path, "history").out
    assert "mended by ada: registry.json cannot be read: " in history
    assert "and was written again: a disk error" in history
