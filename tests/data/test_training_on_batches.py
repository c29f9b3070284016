"""The data module in a Lightning trainer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from mhc.data.batch_loader import Batch
from mhc.data.datamodule import TextDataModule

Make = Callable[..., TextDataModule]


class RowRecorder(pl.LightningModule):
    """A module that learns nothing and records the rows of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.train_batches: dict[int, list[list[int]]] = defaultdict(list)
        self.eval_rows: list[int] = []

    def training_step(self, batch: Batch) -> torch.Tensor:
        self.train_batches[self.current_epoch].append(batch["rows"].tolist())
        return self.weight.sum()

    def validation_step(self, batch: Batch) -> None:
        self.eval_rows.extend(batch["rows"].tolist())

    def test_step(self, batch: Batch) -> None:
        self.eval_rows.extend(batch["rows"].tolist())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def make_trainer(folder: Path, **options: object) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    values = {"accelerator": "cpu", "devices": 1, "default_root_dir": folder, "max_epochs": 3, **quiet, **options}
    return pl.Trainer(**values)  # type: ignore[arg-type]


def test_every_epoch_shows_every_row_once_in_another_order(make_datamodule: Make, tmp_path: Path) -> None:
    recorder, datamodule = RowRecorder(), make_datamodule()
    make_trainer(tmp_path, enable_checkpointing=False).fit(recorder, datamodule)
    flat = [[row for batch in recorder.train_batches[epoch] for row in batch] for epoch in range(3)]
    rows = list(range(datamodule.facts().splits["train"].rows))
    assert [sorted(epoch) for epoch in flat] == [rows] * 3
    assert flat[0] != flat[1] != flat[2]


def test_resumed_training_gets_the_same_batches(make_datamodule: Make, tmp_path: Path) -> None:
    full, first, second = RowRecorder(), RowRecorder(), RowRecorder()
    make_trainer(tmp_path / "full", enable_checkpointing=False).fit(full, make_datamodule())
    stopped = make_trainer(tmp_path / "stopped", enable_checkpointing=False, max_epochs=1)
    stopped.fit(first, make_datamodule())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    make_trainer(tmp_path / "resumed", enable_checkpointing=False).fit(
        second, make_datamodule(), ckpt_path=tmp_path / "last.ckpt", weights_only=True
    )
    assert {**first.train_batches, **second.train_batches} == full.train_batches


def test_overfitting_shows_the_same_batches_in_every_epoch(make_datamodule: Make, tmp_path: Path) -> None:
    recorder = RowRecorder()
    make_trainer(tmp_path, enable_checkpointing=False, overfit_batches=2).fit(recorder, make_datamodule())
    assert recorder.train_batches[0] == recorder.train_batches[1] == recorder.train_batches[2]
    assert len(recorder.train_batches[0]) == 2


def test_test_scores_every_row_once(make_datamodule: Make, tmp_path: Path) -> None:
    recorder, datamodule = RowRecorder(), make_datamodule()
    make_trainer(tmp_path, enable_checkpointing=False).test(recorder, datamodule, verbose=False)
    assert sorted(recorder.eval_rows) == list(range(datamodule.facts().splits["test"].rows))


@pytest.mark.slow
def test_two_processes_share_an_epoch(make_datamodule: Make, tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, enable_checkpointing=False, devices=2, strategy="ddp_fork", max_epochs=1)
    trainer.fit(TwoProcesses(tmp_path), make_datamodule())
    lines = [(tmp_path / f"rank{rank}").read_text(encoding="utf-8").splitlines() for rank in range(2)]
    assert len(lines[0]) == len(lines[1])
    rows = {int(row) for line in lines[0] + lines[1] for row in line.split()}
    assert rows == set(range(36))


class TwoProcesses(RowRecorder):
    """A module that writes the rows of each process to a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def training_step(self, batch: Batch) -> torch.Tensor:
        with (self.folder / f"rank{self.global_rank}").open("a", encoding="utf-8") as file:
            file.write(" ".join(map(str, batch["rows"].tolist())) + "\n")
        return self.weight.sum()
