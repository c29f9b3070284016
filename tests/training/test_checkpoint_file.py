"""Checkpoints and logs of a training on a disk that is full, or in a folder that has moved."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from mhc.errors import BadInput, Unreadable
from mhc.report.metrics_csv import MetricsCsv
from mhc.runs import own_folder
from mhc.runs.own_folder import FolderMoved
from mhc.training.checkpoint_file import CheckpointFile, use_checkpoint_file
from mhc.training.log_file import LogFile
from scripts.small_disks import can_mount, disk, fill
from tests.support.learning import Data, a_classifier, a_trainer

STATE = {"state_dict": {"weight": torch.ones(1000)}}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    if not can_mount():
        pytest.skip("no file system can be mounted here")
    with disk(tmp_path / "disk", 100_000) as place:
        yield place


def test_checkpoint_on_a_full_disk_keeps_the_last_one(small: Path) -> None:
    path = small / "checkpoints" / "last.ckpt"
    files = CheckpointFile(small)
    files.save_checkpoint(STATE, path)
    before = path.read_bytes()
    fill(small)
    with pytest.raises(BadInput, match=r"The disk of .* is full"):
        files.save_checkpoint(STATE, path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
    assert torch.equal(torch.load(path)["state_dict"]["weight"], torch.ones(1000))


def test_checkpoint_does_not_recreate_the_folder_of_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    own_folder.hold(run)
    run.rename(tmp_path / "moved")
    with pytest.raises(FolderMoved):
        CheckpointFile(run).save_checkpoint(STATE, run / "checkpoints" / "last.ckpt")
    own_folder.release(run)
    assert not run.exists()


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("not a checkpoint"),
        lambda path: path.write_bytes(pickle.dumps(Bomb())),
        lambda path: torch.save({"state_dict": {}, "bomb": Bomb()}, path),
        lambda path: torch.save([1, 2], path),
        lambda path: os.mkfifo(path),
    ],
    ids=["text", "pickle", "archive with code", "another object", "pipe"],
)
def test_file_that_is_no_checkpoint_is_refused_and_not_run(
    write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "last.ckpt")
    with pytest.raises(Unreadable, match=r"The checkpoint .*last\.ckpt cannot be read: .* start a new run$"):
        CheckpointFile(tmp_path).load_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "exploded").exists()


def test_checkpoints_elsewhere_are_left_to_lightning(tmp_path: Path) -> None:
    path = tmp_path / "of_the_user" / "deep" / "last.ckpt"
    CheckpointFile(tmp_path / "run").save_checkpoint(STATE, path)
    assert path.exists()


def test_trainer_writes_and_reads_checkpoints_by_it(tmp_path: Path) -> None:
    trainer = a_trainer(tmp_path, max_epochs=1)
    use_checkpoint_file(trainer, tmp_path)
    trainer.fit(a_classifier(), datamodule=Data())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert isinstance(trainer.strategy.checkpoint_io, CheckpointFile)
    assert "state_dict" in torch.load(tmp_path / "a.ckpt", weights_only=False)


def test_curves_on_a_full_disk_have_no_half_row(small: Path) -> None:
    logger = MetricsCsv(str(small))
    logger.log_metrics({"val/loss": 0.5}, step=1)
    logger.save()
    fill(small)
    logger.log_metrics({f"val/f1_{number}": 0.25 for number in range(99)}, step=2)
    logger.pending *= 50
    with pytest.raises(OSError, match="No space left"):
        logger.save()
    assert (small / "metrics.csv").read_bytes().splitlines() == [b"step,metric,value", b"1,val/loss,0.5"]


def test_full_disk_is_reported_once_by_the_log(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(small / "train.log")
    terminal = logging.StreamHandler(sys.stderr)
    log = logging.getLogger("mhc")
    log.addHandler(handler)
    log.addHandler(terminal)
    try:
        fill(small)
        for _ in range(20):
            log.warning("x" * 1000)
    finally:
        log.removeHandler(handler)
        log.removeHandler(terminal)
        handler.close()
    printed = capsys.readouterr().err
    assert printed.count("train.log ends here: the disk of") == 1
    assert "Traceback" not in printed
