"""How a training ends that is interrupted, whose folder is taken away, or whose disk is full: real processes."""

from __future__ import annotations

import os
import pty
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mhc.record import Location, Status
from mhc.runs import folders, store
from scripts.small_disks import can_mount, disk
from tests.support.programs import Program
from tests.training.test_training import TINY, only_run, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LONG = (*TINY, "trainer.max_epochs=9999", "callbacks.early_stopping=null")


def wait_for(process: Program, words: str) -> None:
    """Read what the training prints up to a line that begins with `words`."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(words):
            return
    raise AssertionError(f"{words!r} was not printed")


def archive(folder: Path) -> Path | None:
    return folders.archive(folder, folder.parent, Location.ARCHIVE_DEBUG)


def rename(folder: Path) -> Path | None:
    return folder.rename(folder.with_name("renamed_by_hand"))


def delete(folder: Path) -> Path | None:
    shutil.rmtree(folder)
    return None


@pytest.mark.parametrize("take_away", [archive, rename, delete])
def test_suspended_run_that_lost_its_folder_ends(tmp_path: Path, take_away: Callable[[Path], Path | None]) -> None:
    training = start(tmp_path, *LONG)
    wait_for(training, "epoch 2/")
    training.send_signal(signal.SIGSTOP)
    folder, _ = only_run(tmp_path)
    place = take_away(folder)
    training.send_signal(signal.SIGCONT)
    _, err = training.communicate(timeout=120)
    assert training.returncode == 1, err[-3000:]
    assert err.splitlines()[-1].startswith(f"The training of run {folder.name} ended: its folder was ")
    assert "Traceback" not in err
    assert not folder.exists()
    records = [(path, store.read(path).status) for path, _ in folders.iter_runs(tmp_path / "outputs")]
    assert records == ([(place, Status.INTERRUPTED)] if place else [])
    assert sorted(path.name for path in (tmp_path / "outputs").rglob("*.ckpt")) == (
        ["best.ckpt", "last.ckpt"] if place else []
    )


def test_hasty_ctrl_c_ends_in_a_clean_last_line(tmp_path: Path) -> None:
    training = start(tmp_path, *LONG)
    wait_for(training, "epoch 1/")
    for _ in range(5):
        training.send_signal(signal.SIGINT)
    while training.poll() is None:
        training.send_signal(signal.SIGINT)
    _, err = training.communicate(timeout=60)
    folder, record = only_run(tmp_path)
    assert training.returncode == 130
    assert err.splitlines()[-1] == (
        f"Interrupted by Ctrl-C. Continue the run with: python -m mhc.train resume={folder.name}"
    )
    assert "Traceback" not in err
    assert (record.status, record.status_reason) == (Status.INTERRUPTED, "Ctrl-C")
    assert [event.what for event in record.history].count("interrupted") == 1


def test_closed_terminal_is_an_interruption(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    places = [f"paths.{name}={tmp_path / name}" for name in ("outputs", "models", "cache")]
    training = Program("mhc.train", *LONG, *places, stdin=slave, stdout=slave, stderr=slave, new_session=True)
    os.close(slave)
    printed = b""
    while b"epoch 2/" not in printed:
        printed += os.read(master, 4096)
    os.close(master)
    with training:
        assert training.wait(timeout=60) == 129
    _, record = only_run(tmp_path)
    assert (record.status, record.status_reason) == (Status.INTERRUPTED, "SIGHUP")


def test_nohup_training_ignores_the_closed_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        training = start(tmp_path, *TINY, "trainer.max_epochs=3")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for(training, "epoch 1/")
    training.send_signal(signal.SIGHUP)
    training.communicate(timeout=120)
    assert training.returncode == 0
    assert only_run(tmp_path)[1].status is Status.COMPLETED


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full here")
def test_training_whose_output_is_lost_completes(tmp_path: Path) -> None:
    places = [f"paths.{name}={tmp_path / name}" for name in ("outputs", "models", "cache")]
    with Path("/dev/full").open("wb") as full:
        training = Program("mhc.train", *TINY, *places, stdout=full.fileno(), stderr=full.fileno())
    with training:
        assert training.wait(timeout=120) == 0
    assert only_run(tmp_path)[1].status is Status.COMPLETED


@pytest.mark.parametrize("size", [150_000, 900_000], ids=["at the start", "at a checkpoint"])
def test_training_on_a_full_disk_fails_with_one_sentence(tmp_path: Path, size: int) -> None:
    if not can_mount():
        pytest.skip("no file system can be mounted here")
    with disk(tmp_path / "outputs", size):
        training = start(tmp_path, *TINY, "trainer.max_epochs=2", "logger=tensorboard")
        _, err = training.communicate(timeout=120)
        assert training.returncode == 1, err[-3000:]
        last = err.splitlines()[-1]
        assert f"The disk of {tmp_path / 'outputs'}" in last
        assert "are free. Free some space" in last
        assert "Traceback" not in err
        for folder, _ in folders.iter_runs(tmp_path / "outputs"):
            assert store.read(folder).status is Status.FAILED
            assert not list(folder.rglob(".*.*.*")), "no draft is left"
        assert not list(folders.iter_without_record(tmp_path / "outputs"))
