"""One file that cannot be read: the other runs are shown, it is named, and nothing hangs."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mhc.errors import Unreadable
from mhc.runs import store
from scripts.attacks.special_files import KINDS, put
from scripts.reading_commands import BAD, OTHER, THIRD, copy_project, flaw_of, mhc
from tests.support.builders import a_run

RECORD = f"outputs/{BAD}/run.json"
CONTENT: dict[str, bytes] = {
    "not utf-8": b'{"id": "\xff"}',
    "nested too deeply": b"[" * 5000 + b"]" * 5000,
    "nested in a field that we do not have": b'{"new": ' + b"[" * 400 + b"]" * 400 + b', "id": "x"}',
    "another json": b"[1, 2]",
    "zeros": bytes(4096),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


def others(project: Path) -> set[str]:
    return {path.parent.name for path in (project / "outputs").rglob("run.json")} - {BAD}


@pytest.mark.parametrize("content", CONTENT.values(), ids=CONTENT)
def test_record_that_cannot_be_read_hides_no_other(content: bytes, project: Path) -> None:
    (project / RECORD).write_bytes(content)
    assert flaw_of(project, others(project)) == ""
    assert BAD in mhc(project, "doctor").out
    answer = mhc(project, "details", BAD)
    assert (answer.code, answer.err.count("\n")) == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_record_that_is_no_regular_file_hides_no_other(kind: str, project: Path) -> None:
    put(project, RECORD, kind)
    assert flaw_of(project, others(project)) == ""


def test_deep_value_that_is_recorded_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    content = (run / "run.json").read_bytes()
    deep = b'"imported": {"a": ' + b"[" * 300 + b"]" * 300 + b"}"
    assert b'"imported": {}' in content
    (run / "run.json").write_bytes(content.replace(b'"imported": {}', deep))
    with pytest.raises(Unreadable, match="nested too deeply"):
        store.read(run)


def test_brackets_in_a_text_are_no_depth(tmp_path: Path) -> None:
    assert store.read(a_run(tmp_path, note="[" * 500)).note == "[" * 500


@pytest.mark.parametrize("name", [".index.sqlite", ".index.sqlite-journal", ".index.sqlite-wal"])
@pytest.mark.parametrize("kind", ["pipe", "loop of links", "endless device", "folder"])
def test_index_that_is_no_regular_file_is_not_opened(name: str, kind: str, project: Path) -> None:
    mhc(project, "list")
    put(project, f"outputs/{name}", kind)
    answer = mhc(project, "list")
    assert answer.code == 0
    assert OTHER in answer.out


def test_archive_is_not_held_up_by_a_pipe_as_log(project: Path) -> None:
    put(project, "outputs/events.jsonl", "pipe")
    assert mhc(project, "archive", THIRD).code == 0
    assert (project / "outputs" / "archived" / THIRD / "run.json").is_file()


@pytest.mark.parametrize("name", ["ledger.jsonl", "registry.json"])
def test_production_file_that_is_a_pipe_is_named(name: str, project: Path) -> None:
    put(project, f"models/{name}", "pipe")
    answer = mhc(project, "verify")
    assert answer.code == 1
    assert f"{name} cannot be read: it is a pipe, not a regular file" in answer.out + answer.err


def test_bundle_file_that_is_a_pipe_is_named(project: Path) -> None:
    put(project, "models/production/bag_v1/model.safetensors", "pipe")
    assert "model.safetensors was changed: it is a pipe, not a regular file" in mhc(project, "verify").out


@contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        pytest.skip("only root can mount a file system")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # a connection of SQLite may still be open


@pytest.fixture
def read_only(project: Path) -> Iterator[Path]:
    """Yield the project, with its index, on a file system that is mounted read-only."""
    mhc(project, "list")
    with mounted_read_only(project):
        yield project


def test_rebuild_in_a_read_only_folder_is_one_sentence(read_only: Path) -> None:
    answer = mhc(read_only, "rebuild")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert "read-only" in answer.err


def test_rebuild_does_not_claim_an_index_that_was_not_written(tmp_path: Path) -> None:
    outputs = copy_project(tmp_path / "project") / "outputs"
    with mounted_read_only(outputs):
        answer = mhc(outputs.parent, "rebuild")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)


def test_rebuild_of_an_index_that_is_a_folder_is_refused(project: Path) -> None:
    put(project, "outputs/.index.sqlite", "folder")
    answer = mhc(project, "rebuild")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)


def test_commands_that_read_work_in_a_read_only_folder(read_only: Path) -> None:
    assert flaw_of(read_only, others(read_only)) == ""


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE records SET json = x'7b7d'",
        "UPDATE records SET json = 'text'",
        "DELETE FROM records",
        "UPDATE runs SET created = 'yesterday'",
        "UPDATE runs SET id = CAST(x'ff' AS TEXT)",
        "UPDATE runs SET val_f1_macro = x'00'",
        "UPDATE runs SET status = 'running', shown = 'running'",
        "UPDATE files SET stamp = CAST(x'fffe' AS TEXT)",
        "UPDATE configs SET sections = x'5b'",
        "UPDATE sections SET json = x'5b'",
        "UPDATE config_keys SET words = words || 'x'",
    ],
)
def test_damaged_content_of_the_index_is_read_again(damage: str, project: Path) -> None:
    mhc(project, "list")
    with closing(sqlite3.connect(project / "outputs" / ".index.sqlite")) as database, database:
        database.execute(damage)
    assert flaw_of(project, others(project) | {BAD}) == ""
