from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mhc.errors import BadInput, Conflict, MhcError, NotFound, Unreadable
from mhc.facts import Metrics
from mhc.record import Event, Location, MetricsBySplit, RunRecord, encode
from mhc.runs import atomic, folders, store
from tests.support.builders import a_record, a_run

EVENT = Event(at="2026-11-20T12:00:00Z", what="noted", by="a test")


def with_note(note: str) -> Callable[[RunRecord], RunRecord]:
    return lambda record: msgspec.structs.replace(record, note=note)


def test_update_writes_change_event_and_revision(tmp_path: Path) -> None:
    run = a_run(tmp_path, revision=4)
    before = store.read(run)
    after = store.update(run, with_note("x"), EVENT)
    assert after == msgspec.structs.replace(before, note="x", revision=5, history=[*before.history, EVENT])
    assert store.read(run) == after


def test_update_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    before = (run / "run.json").stat()
    store.update(run, lambda record: record)
    assert (run / "run.json").stat() == before


def test_record_changed_by_another_process_is_not_overwritten(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    store.update(run, with_note("first"), expect_revision=0)
    with pytest.raises(Conflict, match=r"revision 1, not 0\)"):
        store.update(run, with_note("second"), expect_revision=0)
    assert store.read(run).note == "first"


def test_first_record_never_overwrites_another(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    with pytest.raises(Conflict, match="a record is never overwritten"):
        store.create(run, a_record(note="other"))
    assert store.read(run).note == ""


def test_record_truncated_at_any_byte_is_unreadable(tmp_path: Path) -> None:
    run = tmp_path / "a_20261120_120000_0001"
    run.mkdir()
    content = encode(a_record())
    for end in range(len(content) - 2):  # the last bytes are the newline and the closing brace
        with pytest.raises(Unreadable, match=r"a_20261120_120000_0001 cannot be read: run.json is (torn|empty)"):
            store.decode(content[:end], run)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "run.json is empty"),
        (b" \n", "run.json is empty"),
        (b"\0" * 4096, "run.json is torn or is not JSON"),
        (b"[1, 2]", "run.json is not a record of mhc"),
        (b'{"loss": 0.5}', "run.json is not a record of mhc .*missing required field `id`"),
        (
            b'{"schema": 99, "id": "a", "shape": "unknown"}',
            r"written by a newer mhc \(schema 99, this one reads up to 1",
        ),
        (encode(a_record(schema=2)), r"written by a newer mhc \(schema 2"),
        (encode(a_record()).replace(b'"completed"', b'"finished"'), "not a record of mhc .*status"),
    ],
    ids=["empty", "blank", "zeros", "list", "foreign", "newer shape", "newer, same shape", "unknown status"],
)
def test_invalid_record_is_unreadable_and_not_changed(tmp_path: Path, content: bytes, why: str) -> None:
    run = tmp_path / "a_20261120_120000_0001"
    run.mkdir()
    (run / "run.json").write_bytes(content)
    with pytest.raises(Unreadable, match=f"a_20261120_120000_0001 cannot be read: .*{why}"):
        store.read(run)
    with pytest.raises(Unreadable):
        store.update(run, with_note("x"), EVENT)
    assert (run / "run.json").read_bytes() == content


def test_missing_record_and_missing_folder_have_own_messages(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"has no run.json"):
        store.read(tmp_path)
    with pytest.raises(Unreadable, match=r"does not exist \(any more\)"):
        store.read(tmp_path / "gone")


def test_record_that_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    (run / "run.json").unlink()
    (run / "run.json").mkdir()  # even root cannot read a folder as a file
    with pytest.raises(Unreadable, match="it is a folder, not a regular file"):
        store.read(run)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_record_of_another_user_is_unreadable(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    (run / "run.json").chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom mhc.runs import store\nos.setuid(65534)\n"
        "try:\n    store.read(Path(sys.argv[1]))\nexcept Exception as problem:\n    print(problem)\n"
    )
    output = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=True).stdout
    assert "cannot be read: Permission denied" in output


def test_file_size_limit_keeps_the_older_record(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    before = (run / "run.json").read_bytes()
    code = (
        "import msgspec, resource, signal, sys\nfrom pathlib import Path\nfrom mhc.errors import MhcError\n"
        "from mhc.runs import store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "try:\n    store.update(Path(sys.argv[1]), lambda r: msgspec.structs.replace(r, note='x' * 5000))\n"
        "except MhcError as problem:\n    print(type(problem).__name__, problem)\n"
    )
    output = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=True).stdout
    assert output.startswith("BadInput Could not write ")
    assert "run.json, whose old content is unchanged. File too large" in output
    assert (run / "run.json").read_bytes() == before
    assert not list(run.glob(".run.json.*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_full_file_system_keeps_the_older_record(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)], capture_output=True)
    if mount.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        run = a_run(place)
        before = (run / "run.json").read_bytes()
        with pytest.raises(OSError, match="No space left"):
            (place / "fill").write_bytes(b"\0" * 100_000)
        with pytest.raises(
            BadInput, match=r"whose old content is unchanged. The disk of .* is full, \d+ k?B of 66 kB are free"
        ):
            store.update(run, with_note("x" * 8192), EVENT)
        assert (run / "run.json").read_bytes() == before
        assert store.read(run).note == ""
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_read_only_outputs_can_be_read(tmp_path: Path) -> None:
    run = a_run(tmp_path / "outputs")
    bound = ["mount", "--bind", str(tmp_path / "outputs"), str(tmp_path / "outputs")]
    if subprocess.run(bound, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(tmp_path / "outputs")], check=True)
        with pytest.raises(BadInput, match=r"The disk of .* is read-only"):
            store.update(run, with_note("x"), EVENT)
        with pytest.raises(MhcError, match=r"The disk of .* is read-only"):
            folders.archive(run, tmp_path / "outputs", Location.ARCHIVED)
        assert store.read(run).note == ""
    finally:
        subprocess.run(["umount", str(tmp_path / "outputs")], check=True)


def test_handle_of_the_old_folder_does_not_recreate_it(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    folders.archive(run, tmp_path, Location.ARCHIVED)
    with pytest.raises(NotFound, match="is gone"):
        store.update(run, with_note("x"), EVENT)
    with pytest.raises(NotFound, match="is gone"):
        atomic.write(run / "traceback.txt", b"x")
    assert not run.exists()


def test_writer_waiting_during_an_archival_writes_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    before = (run / "run.json").read_bytes()
    code = (
        "import msgspec, sys\nfrom pathlib import Path\nfrom mhc.errors import MhcError\n"
        "from mhc.runs import atomic, store\n"
        "wait = atomic._await_lock\n"
        "def announce(*args):\n    print('waiting', flush=True)\n    wait(*args)\n"
        "atomic._await_lock = announce\n"
        "try:\n    store.update(Path(sys.argv[1]), lambda r: msgspec.structs.replace(r, note='x'))\n"
        "except MhcError as problem:\n    print(problem)\n"
    )

    def wait_for_writer(folder: Path) -> None:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "waiting\n"

    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True, stdin=subprocess.PIPE
    ) as writer:
        # the writer must start while the lock is held: archive() calls `check` under the lock
        moved = folders.archive(run, tmp_path, Location.ARCHIVED, check=wait_for_writer)
        output = writer.communicate()[0]
    assert "does not exist (any more)" in output
    assert (moved / "run.json").read_bytes() == before
    assert not run.exists()


def test_draft_of_a_killed_writer_is_removed_by_the_next(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    (run / ".run.json.123.abcd").write_bytes(b"half")
    store.update(run, with_note("x"), EVENT)
    assert not (run / ".run.json.123.abcd").exists()


def test_lock_of_another_process_stops_writers_but_not_readers(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    with atomic.locked(run):
        assert store.read(run).id
        with pytest.raises(Conflict, match="has held the lock"), atomic.locked(run, timeout=0.0):
            pass


def test_record_with_a_nan_is_not_written(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    broken = MetricsBySplit(test=Metrics(recall={"anxiety": float("nan")}))
    with pytest.raises(msgspec.ValidationError):
        store.update(run, lambda record: msgspec.structs.replace(record, metrics=broken))
    assert store.read(run).metrics.test != broken.test
