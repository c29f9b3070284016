"""The folder of a live run is moved, deleted or replaced: the run never writes beside it, and ends with a reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callbacks.write_evidence import write_result
from mhc.errors import Conflict
from mhc.record import Location, Status
from mhc.report.metrics_csv import MetricsCsv
from mhc.runs import folders, heartbeat, own_folder, store
from mhc.runs.live import LiveRun
from mhc.runs.outcome import recording
from mhc.runs.own_folder import FolderMoved
from tests.runs.test_live import NOW, end_with, start

Move = Callable[[Path], Path | None]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    run = start(folders.claim(tmp_path / "outputs", "attention", NOW))
    folder = run.folder
    yield run
    heartbeat.stop(folder)
    own_folder.release(folder)


def archived(folder: Path) -> Path | None:
    return folders.archive(folder, folder.parent, Location.ARCHIVE_DEBUG)


def renamed(folder: Path) -> Path | None:
    return folder.rename(folder.with_name("by_hand"))


def moved_out(folder: Path) -> Path | None:
    return folder.rename(folder.parent.parent / "elsewhere")


def deleted(folder: Path) -> Path | None:
    shutil.rmtree(folder)
    return None


def replaced(folder: Path) -> Path | None:
    place = folder.rename(folder.with_name("by_hand"))
    folder.mkdir()
    return place


@pytest.mark.parametrize("move", [archived, renamed, moved_out, replaced])
def test_moved_run_is_interrupted_at_its_new_place(run: LiveRun, move: Move) -> None:
    folder = run.folder
    place = move(folder)
    assert place is not None
    end_with(run, Conflict, lambda: run.event("an event"))
    record = store.read(place)
    assert (record.status, record.status_reason) == (Status.INTERRUPTED, f"its folder was moved to {place}")
    assert not folder.exists() or not any(folder.iterdir()), "nothing is written where it was"
    assert not (place / ".reserve").exists()


def test_deleted_run_ends_and_does_not_come_back(run: LiveRun) -> None:
    folder = run.folder
    deleted(folder)
    problem = end_with(run, Conflict, lambda: run.event("an event"))
    assert "its folder was deleted or replaced. Its outcome is not recorded" in str(problem)
    assert not folder.exists()


def test_library_error_in_a_moved_folder_is_the_move(run: LiveRun) -> None:
    place = renamed(run.folder)
    problem = end_with(run, Conflict, lambda: (run.folder / "tensorboard" / "events").write_bytes(b""))
    assert f"its folder was moved to {place}" in str(problem)
    assert isinstance(problem.__cause__, FileNotFoundError)


def test_run_that_is_complete_when_moved_is_completed_there(run: LiveRun) -> None:
    with recording(run):
        place = archived(run.folder)
    assert place is not None
    assert store.read(place).status is Status.COMPLETED
    assert run.folder == place


@pytest.mark.parametrize("move", [archived, renamed, deleted, replaced])
def test_no_writer_of_a_training_creates_the_folder(run: LiveRun, move: Move) -> None:
    folder = run.folder
    logger = MetricsCsv(str(folder))
    logger.log_metrics({"val/loss": 0.5}, step=1)
    move(folder)
    writers = [
        lambda: own_folder.make(folder, folder / "checkpoints"),
        logger.save,
        lambda: write_result(folder, "val", None, None, b""),  # type: ignore[arg-type]
        lambda: run.event("an event"),
    ]
    for write in writers:
        with pytest.raises(FolderMoved):
            write()
    assert not folder.exists() or not any(folder.iterdir())


def test_folders_of_other_processes_are_not_checked(tmp_path: Path) -> None:
    own_folder.check(tmp_path / "missing")
    assert own_folder.place_of(tmp_path / "missing") == tmp_path / "missing"
