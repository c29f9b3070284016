"""A file is written completely or not at all; the outcome of a run is recorded even if the disk is full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mhc.errors import BadInput
from mhc.record import Status
from mhc.runs import atomic, folders, heartbeat, store
from mhc.runs.outcome import recording
from scripts.small_disks import can_mount, disk, fill
from tests.runs.test_live import NOW, start


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    if not can_mount():
        pytest.skip("no file system can be mounted here")
    with disk(tmp_path / "disk", 300_000) as place:
        yield place


def test_outcome_is_recorded_on_a_full_disk(small: Path) -> None:
    run = start(folders.claim(small, "attention", NOW))
    fill(small)
    with pytest.raises(BadInput, match=r"The disk of .* is full"), recording(run):
        run.event("an event")
    record = run.record()
    assert (record.status, record.failure and record.failure.type) == (Status.FAILED, "BadInput")
    assert "is full" in record.status_reason
    assert not list(run.folder.glob(".*")), "neither a draft nor the reserve is left"


def test_error_of_a_library_on_a_full_disk_is_explained(small: Path) -> None:
    run = start(folders.claim(small, "attention", NOW))
    fill(small)
    with pytest.raises(BadInput, match=r"The disk of .* is full") as raised, recording(run):
        (run.folder / "events").write_bytes(b"\0" * 4096)
    assert isinstance(raised.value.__cause__, OSError)
    assert any("resume=" in note for note in raised.value.__notes__)
    assert run.record().status is Status.FAILED
    assert run.record().failure.traceback is None  # type: ignore[union-attr]


def test_record_larger_than_the_reserve_is_written(small: Path) -> None:
    folder = small / "a"
    folder.mkdir()
    atomic.reserve(folder)
    (folder / "run.json").write_bytes(b"old")
    (folder / "other").write_bytes(b"\0" * atomic.RESERVE_BYTES)
    fill(small)
    (folder / "other").unlink()
    content = b"x" * (atomic.RESERVE_BYTES + 4096)
    atomic.write_reserved(folder / "run.json", content)
    assert (folder / "run.json").read_bytes() == content


def test_run_is_not_registered_without_space_for_its_outcome(small: Path) -> None:
    folder = folders.claim(small, "attention", NOW)
    fill(small)
    with pytest.raises(BadInput, match="is full"):
        start(folder)
    assert not any(folder.iterdir())


def test_reserve_is_given_back_when_the_run_ends(tmp_path: Path) -> None:
    run = start(folders.claim(tmp_path, "attention", NOW))
    assert (run.folder / ".reserve").stat().st_size == atomic.RESERVE_BYTES
    run.complete()
    assert not (run.folder / ".reserve").exists()
    heartbeat.stop(run.folder)


def test_reserve_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".reserve").symlink_to(tmp_path / "precious")
    with pytest.raises(BadInput):
        atomic.reserve(tmp_path)
    assert (tmp_path / "precious").read_text() == "precious"


def test_read_only_disk_is_named(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("no file system can be mounted here")
    with disk(tmp_path / "disk", 300_000) as place:
        run = start(folders.claim(place, "attention", NOW))
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with pytest.raises(BadInput, match=r"The disk of .* is read-only"):
            run.event("an event")
        heartbeat.stop(run.folder)
    assert store.RECORD_FILE == "run.json"
