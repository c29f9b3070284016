"""The index answers correctly after any change or damage, and beside other readers."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from mhc.index import connection
from mhc.index.index import Index
from mhc.index.records import record_dicts
from mhc.policy import LivenessPolicy, load
from mhc.record import encode
from mhc.runs import store
from mhc.runs.liveness import this_process
from tests.support.builders import NOW, a_record, a_run, a_tree, process

LONG_AGO = 1_700_000_000


def liveness() -> LivenessPolicy:
    return load().liveness


def opened(outputs: Path, progress: Callable[[int, int], None] | None = None) -> Index:
    return Index(outputs, outputs.parent / "models", liveness, progress)


def ids_in(outputs: Path) -> list[str]:
    return [row.id for row in opened(outputs).rows()]


def make_old(*folders: Path) -> None:
    """Set the modification time of the records to long ago, so that their stamps are trusted."""
    for folder in folders:
        os.utime(folder / "run.json", (LONG_AGO, LONG_AGO))


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


def test_runs_of_all_locations_are_listed_newest_first(outputs: Path, tmp_path: Path) -> None:
    locations = ["active", "archive_debug", "archive_baseline", "archived"]
    for number, location in enumerate(locations):
        a_run(outputs, f"run_{number}", location=location, created=NOW - timedelta(hours=number))
    a_run(outputs, "in_a_sweep", sweep="sweep_1", created=NOW - timedelta(hours=7))
    a_run(outputs, "archived_from_a_sweep", sweep="sweep_1", location="archived", created=NOW - timedelta(hours=8))
    bundle = tmp_path / "models" / "production" / "m_v1"
    bundle.mkdir(parents=True)
    (bundle / "run.json").write_bytes(encode(a_record("promoted", created=NOW - timedelta(hours=9))))
    assert [(row.id, row.location, row.path) for row in opened(outputs).rows()] == [
        ("run_0", "active", "run_0"),
        ("run_1", "archive_debug", "archive_debug/run_1"),
        ("run_2", "archive_baseline", "archive_baseline/run_2"),
        ("run_3", "archived", "archived/run_3"),
        ("in_a_sweep", "active", "sweep_1/in_a_sweep"),
        ("archived_from_a_sweep", "archived", "archived/sweep_1/archived_from_a_sweep"),
        ("promoted", "production", str(bundle)),
    ]


def test_promoted_run_is_listed_once_while_its_folder_exists(outputs: Path, tmp_path: Path) -> None:
    folder = a_run(outputs, "promoted")
    bundle = tmp_path / "models" / "production" / "m_v1"
    bundle.mkdir(parents=True)
    shutil.copy(folder / "run.json", bundle)
    assert [row.location for row in opened(outputs).rows()] == ["active"]
    shutil.rmtree(folder)
    assert [row.location for row in opened(outputs).rows()] == ["production"]


def test_only_changed_records_are_read_again(outputs: Path) -> None:
    folders = a_tree(outputs, 20)
    make_old(*folders)
    read: list[int] = []
    opened(outputs, lambda done, total: read.append(total))
    opened(outputs, lambda done, total: read.append(total))
    store.update(folders[3], lambda record: msgspec.structs.replace(record, pinned=True))
    make_old(folders[3])
    index = opened(outputs, lambda done, total: read.append(total))
    assert read == [20, 1]
    assert [row.path for row in index.rows() if row.pinned] == [folders[3].name]


def test_change_within_one_tick_of_the_clock_is_seen(outputs: Path) -> None:
    """Same inode, size and time: a young file is read again."""
    folder = a_run(outputs, pinned=True)
    file = folder / "run.json"
    before = file.stat()
    assert opened(outputs).rows()[0].seed == 1
    with file.open("r+b") as stream:
        content = stream.read().replace(b'"seed": 1', b'"seed": 9')
        stream.seek(0)
        stream.write(content)
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert (file.stat().st_ino, file.stat().st_size) == (before.st_ino, before.st_size)
    assert opened(outputs).rows()[0].seed == 9


def test_moved_and_removed_runs_are_followed(outputs: Path) -> None:
    first, second = a_tree(outputs, 2)
    assert len(ids_in(outputs)) == 2
    (outputs / "archived").mkdir()
    first.rename(outputs / "archived" / first.name)
    shutil.rmtree(second)
    assert [(row.path, row.location) for row in opened(outputs).rows()] == [(f"archived/{first.name}", "archived")]


def test_index_copied_to_another_machine_is_rebuilt(outputs: Path, tmp_path: Path) -> None:
    """As by rsync: other inodes, the same times."""
    make_old(*a_tree(outputs, 5))
    before = ids_in(outputs)
    copy = tmp_path / "laptop"
    shutil.copytree(outputs, copy)
    read: list[int] = []
    index = opened(copy, lambda done, total: read.append(total))
    assert read == [5]
    assert [row.id for row in index.rows()] == before


def test_deleted_index_answers_as_before(outputs: Path) -> None:
    a_tree(outputs, 30)
    before = opened(outputs).rows()
    connection.remove(outputs)
    assert not (outputs / ".index.sqlite").exists()
    assert opened(outputs).rows() == before


def test_truncated_index_answers_as_before(outputs: Path) -> None:
    make_old(*a_tree(outputs, 40))
    before = opened(outputs).rows()
    file = outputs / ".index.sqlite"
    whole = file.read_bytes()
    for size in [0, 1, 15, 16, 99, 100, 101, *range(512, len(whole), 4096 * 5 + 511)]:
        file.write_bytes(whole[:size])
        assert opened(outputs).rows() == before, f"cut at {size}"
    file.write_bytes(b"not a database at all, but long enough to look at" * 100)
    assert opened(outputs).rows() == before


def test_overwritten_page_of_the_index_is_detected(outputs: Path) -> None:
    make_old(*a_tree(outputs, 300))
    before = record_dicts(opened(outputs), opened(outputs).rows())
    file = outputs / ".index.sqlite"
    whole = file.read_bytes()
    for start in range(4096, len(whole), 4096 * 37):
        file.write_bytes(whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :])
        index = opened(outputs)
        assert record_dicts(index, index.rows()) == before, f"page at {start}"


def test_index_of_another_version_is_recreated(outputs: Path) -> None:
    a_tree(outputs, 3)
    before = opened(outputs).rows()
    with sqlite3.connect(outputs / ".index.sqlite") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    assert opened(outputs).rows() == before


def test_locked_index_is_answered_from_memory(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOCK_TIMEOUT", 0.05)
    a_tree(outputs, 3)
    opened(outputs)
    a_run(outputs, "new")
    with sqlite3.connect(outputs / ".index.sqlite", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "new" in ids_in(outputs)
        other.execute("ROLLBACK")
    other.close()
    assert "new" in ids_in(outputs)


def test_index_that_cannot_be_written_is_kept_in_memory(outputs: Path) -> None:
    a_tree(outputs, 3)
    (outputs / ".index.sqlite").mkdir()
    assert len(ids_in(outputs)) == 3
    assert list((outputs / ".index.sqlite").iterdir()) == []


def test_missing_outputs_have_no_runs_and_are_not_created(tmp_path: Path) -> None:
    assert ids_in(tmp_path / "nowhere") == []
    assert not (tmp_path / "nowhere").exists()


def test_links_are_not_followed(outputs: Path, tmp_path: Path) -> None:
    a_run(tmp_path / "outside", "secret")
    (outputs / "linked_run").symlink_to(tmp_path / "outside" / "secret")
    (outputs / "linked_sweep").symlink_to(tmp_path / "outside")
    (outputs / "archived").symlink_to(tmp_path / "outside")
    inside = outputs / "inside"
    inside.mkdir()
    (inside / "run.json").symlink_to(tmp_path / "outside" / "secret" / "run.json")
    (tmp_path / "elsewhere").write_bytes(b"keep me")
    (outputs / ".index.sqlite").symlink_to(tmp_path / "elsewhere")
    index = opened(outputs)
    assert index.readable() == []
    assert [row.path for row in index.unreadable()] == ["inside"]
    assert (tmp_path / "elsewhere").read_bytes() == b"keep me"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "run.json is empty"),
        (encode(a_record())[:200], "torn or is not JSON"),
        (b'{"schema": 99, "id": "x", "new": 1}', "newer mhc (schema 99"),
        (b'{"name": "someone else\'s"}', "not a record of mhc"),
        (b"\xff\xfe\x00", "torn or is not JSON"),
    ],
    ids=["empty", "torn", "newer", "foreign", "bytes"],
)
def test_unreadable_record_is_reported_and_the_rest_is_read(outputs: Path, content: bytes, reason: str) -> None:
    a_tree(outputs, 2)
    bad = a_run(outputs, "bad")
    (bad / "run.json").write_bytes(content)
    index = opened(outputs)
    assert len(index.readable()) == 2
    (row,) = index.unreadable()
    assert (row.path, row.id) == ("bad", "bad")
    assert reason in row.error
    assert (bad / "run.json").read_bytes() == content


def test_record_that_is_a_pipe_does_not_block_the_reader(outputs: Path) -> None:
    folder = outputs / "piped"
    folder.mkdir()
    os.mkfifo(folder / "run.json")
    assert [row.path for row in opened(outputs).unreadable()] == ["piped"]


def test_killed_run_is_shown_as_lost_and_its_record_unchanged(outputs: Path) -> None:
    folder = a_run(outputs, status="running", process=process(boot_id=this_process().boot_id))
    before = (folder / "run.json").read_bytes()
    (row,) = opened(outputs).rows()
    assert (row.status, row.shown) == ("running", "lost")
    assert "is gone" in row.reason
    assert (folder / "run.json").read_bytes() == before


def test_live_run_is_shown_as_running_after_it_was_shown_as_lost(outputs: Path) -> None:
    folder = a_run(outputs, status="running", process=process(boot_id=this_process().boot_id))
    assert opened(outputs).rows()[0].shown == "lost"
    make_old(folder)
    opened(outputs)
    store.update(folder, lambda record: msgspec.structs.replace(record, process=this_process()))
    assert opened(outputs).rows()[0].shown == "running"


def test_policy_is_loaded_only_if_a_record_says_running(outputs: Path) -> None:
    a_tree(outputs, 2)

    def never() -> LivenessPolicy:
        raise AssertionError("loaded")

    assert len(Index(outputs, outputs / "none", never).rows()) == 2


READER = """
import sys
from pathlib import Path
from mhc.policy import load
from mhc.index.index import Index
sys.stdin.readline()
for _ in range(20):
    index = Index(Path(sys.argv[1]), Path(sys.argv[1]), lambda: load().liveness)
    assert len(index.readable()) >= 200, len(index.rows())
print(len(index.readable()), len(index.unreadable()))
"""


def test_four_readers_beside_a_writer_see_every_run(outputs: Path) -> None:
    folders = a_tree(outputs, 200)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(outputs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for reader in readers:
        assert reader.stdin
        reader.stdin.write("go\n")
        reader.stdin.flush()
    for folder in folders[:40]:
        store.update(folder, lambda record: msgspec.structs.replace(record, pinned=True))
    answers = [reader.communicate(timeout=120)[0].strip() for reader in readers]
    assert answers == ["200 0"] * 4
    assert sum(row.pinned for row in opened(outputs).rows()) == 40


def test_hostile_values_of_a_record_stay_unchanged(outputs: Path) -> None:
    name = "../../x\x1b[31m'; DROP TABLE runs; --"
    a_run(outputs, "plain", name=name, tags=["a\nb", name], note=name * 100)
    index = opened(outputs)
    (record,) = record_dicts(index, index.rows())
    assert (record["name"], record["path"]) == (name, str(outputs / "plain"))
    assert json.dumps(record)
