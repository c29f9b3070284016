"""Evidence is written once per split, after the best checkpoint was scored; an error never fails the training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from callbacks.write_evidence import WriteEvidence
from mhc.errors import BadConfig
from mhc.facts import Metrics
from mhc.model.results import SplitResult
from mhc.runs import evidence

LABELS = ["calm", "sad"]

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*")  # Lightning's advice for loaders


class Texts(pl.LightningDataModule):
    """Four rows per split."""

    labels = LABELS

    def normalised_texts(self, split: str) -> Iterator[str]:
        return iter([f"{split} text {row}" for row in range(4)])

    def train_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader([torch.ones(1)] * 4)

    val_dataloader = test_dataloader = train_dataloader


class Classifier(pl.LightningModule):
    """Gives the same prediction for every text; leaves out row 1, as limit_test_batches would."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.results: dict[str, SplitResult] = {}

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.layer(batch).mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        return None

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        self.results["val"] = a_result()

    def on_test_epoch_end(self) -> None:
        self.results["test"] = a_result()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def a_result() -> SplitResult:
    rows = np.array([0, 2, 3])
    return SplitResult(
        metrics=Metrics(),
        rows=rows,
        labels=np.array([0, 1, 1]),
        probabilities=np.array([[0.25, 0.75]] * 3, np.float32),
    )


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.Trainer:
    monkeypatch.delenv("MHC_EVIDENCE_KEY", raising=False)
    (tmp_path / "run").mkdir()
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[WriteEvidence(run_folder=str(tmp_path / "run"), models=str(tmp_path / "models"))],
    )


def test_each_final_pass_writes_one_file_and_fit_none(trainer: pl.Trainer, tmp_path: Path) -> None:
    model, data = Classifier(), Texts()
    trainer.fit(model, data)
    assert not (tmp_path / "run" / "evaluation").exists()
    trainer.validate(model, data, verbose=False)
    trainer.test(model, data, verbose=False)
    assert sorted(path.name for path in (tmp_path / "run" / "evaluation").iterdir()) == ["test.npz", "val.npz"]


def test_scored_rows_have_the_ids_of_their_texts(trainer: pl.Trainer, tmp_path: Path) -> None:
    trainer.test(Classifier(), Texts(), verbose=False)
    result = evidence.read(tmp_path / "run" / "evaluation" / "test.npz")
    key = evidence.key(tmp_path / "models")
    assert [row.tobytes() for row in result.ids] == [evidence.example_id(f"test text {row}", key) for row in (0, 2, 3)]
    assert result.labels.tolist() == [0, 1, 1]
    assert result.label_names == LABELS


def test_missing_folder_is_logged_with_the_remedy(
    trainer: pl.Trainer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").rmdir()
    with caplog.at_level(logging.WARNING):
        trainer.test(Classifier(), Texts(), verbose=False)
    assert "python -m mhc.evaluate run=ID split=test" in caplog.text


def test_empty_folder_name_is_refused() -> None:
    with pytest.raises(BadConfig, match="run_folder is empty"):
        WriteEvidence(run_folder="", models="models")
