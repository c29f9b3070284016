"""A logger never ends a training, and every label has a curve of its own, whatever its letters are."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import Logger

from mhc.errors import BadInput
from mhc.report.curves import tensorboards, writers
from mhc.report.loggers import ascii_name, guarded
from mhc.report.metrics_csv import MetricsCsv
from tests.support.learning import Data, a_classifier, a_trainer

KOREAN = ["불안", "우울", "불 안"]


class Broken(Logger):
    """A logger whose server cannot be reached: `fails` names the methods that raise, or is `everything`."""

    def __init__(self, fails: str, error: Exception) -> None:
        super().__init__()
        self.fails, self.error = fails, error
        self.calls = 0

    def fail(self, method: str) -> None:
        if self.fails in (method, "everything"):
            self.calls += 1
            raise self.error

    @property
    def name(self) -> str:
        self.fail("name")
        return "broken"

    @property
    def version(self) -> str:
        self.fail("version")
        return ""

    @property
    def experiment(self) -> object:
        self.fail("experiment")
        return self

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.fail("log_metrics")

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        self.fail("log_hyperparams")

    def save(self) -> None:
        self.fail("save")

    def finalize(self, status: str) -> None:
        self.fail("finalize")


METHODS = ["experiment", "log_metrics", "save", "finalize", "everything"]


@pytest.mark.parametrize("fails", METHODS)
def test_broken_logger_does_not_end_a_training(tmp_path: Path, caplog: pytest.LogCaptureFixture, fails: str) -> None:
    logger = guarded(Broken(fails, ConnectionError("http://user:secret@server")))
    trainer = a_trainer(tmp_path, max_epochs=1, logger=[logger, guarded(MetricsCsv(str(tmp_path)))])
    with caplog.at_level(logging.WARNING, "mhc.report.loggers"):
        trainer.fit(a_classifier(), datamodule=Data())
    assert trainer.global_step == 9
    messages = [record.getMessage() for record in caplog.records if record.name == "mhc.report.loggers"]
    assert messages == ["Broken failed (ConnectionError) and logs nothing more; the training goes on"]
    assert logger.inner.calls == 1  # type: ignore[attr-defined]
    assert "val/f1_macro" in (tmp_path / "metrics.csv").read_text()


def test_refusal_of_mhc_is_not_a_failure_of_a_logger(tmp_path: Path) -> None:
    logger = guarded(Broken("log_metrics", BadInput("the folder is gone")))
    with pytest.raises(BadInput, match="the folder is gone"):
        a_trainer(tmp_path, max_epochs=1, logger=logger).fit(a_classifier(), datamodule=Data())


def test_guarded_tensorboard_still_gets_figures(tmp_path: Path) -> None:
    board = TensorBoardLogger(tmp_path, name="", version="")
    trainer = a_trainer(tmp_path, logger=guarded(board))
    assert [logger.name for logger in tensorboards(trainer)] == [""]
    assert writers(trainer) == [board.experiment]


NAMES = [f"val/f1/{label}" for label in (*KOREAN, "불_안", "n/a", "n_a", "", ".", "..", "a b", "x" * 300, "صحة")]


def test_names_in_ascii_are_unique_and_accepted() -> None:
    names = [ascii_name(name) for name in NAMES]
    assert len(set(names)) == len(NAMES)
    assert all(name.isascii() and name.startswith("val/f1/") and len(name) <= 250 for name in names)
    assert not any(name.endswith(("/", "/.", "/..")) or "//" in name for name in names)
    assert [ascii_name(name) for name in ("val/f1_macro", "val/f1/a b")] == ["val/f1_macro", "val/f1/a b"]


def test_labels_in_korean_are_logged_to_mlflow(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="an extra: pip install 'mhc[mlflow]'")
    from pytorch_lightning.loggers import MLFlowLogger

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    logger = MLFlowLogger("mhc", tracking_uri=uri)
    model = a_classifier()
    model.labels = KOREAN
    a_trainer(tmp_path, max_epochs=1, logger=guarded(logger)).fit(model, datamodule=Data())
    run = mlflow.MlflowClient(uri).get_run(logger.run_id)
    names = {ascii_name(f"val/f1/{label}") for label in KOREAN}
    assert len(names) == len(KOREAN)
    assert names <= set(run.data.metrics)
    assert {f"val/f1/{label}" for label in KOREAN} <= set(run.data.params.values())
    assert run.info.status == "FINISHED"
