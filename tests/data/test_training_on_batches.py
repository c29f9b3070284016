"""The data module in Lightning's hands."""

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


class Notes(pl.LightningModule):
    """Learns nothing and notes the rows that it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: dict[int, list[list[int]]] = defaultdict(list)
        self.scored: list[int] = []

    def training_step(self, batch: Batch) -> torch.Tensor:
        self.seen[self.current_epoch].append(batch["rows"].tolist())
        return self.weight.sum()

    def validation_step(self, batch: Batch) -> None:
        self.scored.extend(batch["rows"].tolist())

    def test_step(self, batch: Batch) -> None:
        self.scored.extend(batch["rows"].tolist())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def a_trainer(folder: Path, **options: object) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    values = {"accelerator": "cpu", "devices": 1, "default_root_dir": folder, "max_epochs": 3, **quiet, **options}
    return pl.Trainer(**values)  # type: ignore[arg-type]


def test_every_epoch_shows_every_row_once_in_another_order(a_datamodule: Make, tmp_path: Path) -> None:
    notes, datamodule = Notes(), a_datamodule()
    a_trainer(tmp_path, enable_checkpointing=False).fit(notes, datamodule)
    flat = [[row for batch in notes.seen[epoch] for row in batch] for epoch in range(3)]
    rows = list(range(datamodule.facts().splits["train"].rows))
    assert [sorted(one) for one in flat] == [rows] * 3
    assert flat[0] != flat[1] != flat[2]


def test_a_resumed_training_sees_the_batches_that_it_would_have_seen(a_datamodule: Make, tmp_path: Path) -> None:
    whole, first, second = Notes(), Notes(), Notes()
    a_trainer(tmp_path / "whole", enable_checkpointing=False).fit(whole, a_datamodule())
    stopped = a_trainer(tmp_path / "stopped", enable_checkpointing=False, max_epochs=1)
    stopped.fit(first, a_datamodule())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    a_trainer(tmp_path / "resumed", enable_checkpointing=False).fit(
        second, a_datamodule(), ckpt_path=tmp_path / "last.ckpt", weights_only=True
    )
    assert {**first.seen, **second.seen} == whole.seen


def test_overfitting_shows_the_same_batches_in_every_epoch(a_datamodule: Make, tmp_path: Path) -> None:
    notes = Notes()
    a_trainer(tmp_path, enable_checkpointing=False, overfit_batches=2).fit(notes, a_datamodule())
    assert notes.seen[0] == notes.seen[1] == notes.seen[2]
    assert len(notes.seen[0]) == 2


def test_test_scores_every_row_once(a_datamodule: Make, tmp_path: Path) -> None:
    notes, datamodule = Notes(), a_datamodule()
    a_trainer(tmp_path, enable_checkpointing=False).test(notes, datamodule, verbose=False)
    assert sorted(notes.scored) == list(range(datamodule.facts().splits["test"].rows))


@pytest.mark.slow
def test_two_processes_share_an_epoch(a_datamodule: Make, tmp_path: Path) -> None:
    trainer = a_trainer(tmp_path, enable_checkpointing=False, devices=2, strategy="ddp_fork", max_epochs=1)
    trainer.fit(TwoProcesses(tmp_path), a_datamodule())
    shown = [(tmp_path / f"rank{rank}").read_text(encoding="utf-8").splitlines() for rank in range(2)]
    assert len(shown[0]) == len(shown[1])
    rows = {int(row) for line in shown[0] + shown[1] for row in line.split()}
    assert rows == set(range(36))


class TwoProcesses(Notes):
    """Writes the rows that each process was shown."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def training_step(self, batch: Batch) -> torch.Tensor:
        with (self.folder / f"rank{self.global_rank}").open("a", encoding="utf-8") as file:
            file.write(" ".join(map(str, batch["rows"].tolist())) + "\n")
        return self.weight.sum()
