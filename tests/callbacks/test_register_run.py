"""The callbacks that record, classify and archive runs, in real trainings of a network of one layer."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from callbacks.archive_debug_runs import ArchiveDebugRuns
from callbacks.classify_run import ClassifyRun
from callbacks.register_run import RegisterRun, smoke
from mhc import policy
from mhc.facts import DataFacts, Metrics, ModelFacts, Smoke
from mhc.record import Category, Lineage, RunRecord, Status
from mhc.runs import folders, heartbeat, store
from mhc.runs.live import LiveRun
from mhc.runs.outcome import recording
from tests.support.builders import NOW, a_run, data_facts, model_facts

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*",  # a few rows need no worker
    "ignore:.*number of training batches.*",
    "ignore:.*Trainer.*default_root_dir.*",
)
POLICY = policy.load()


class Result:
    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics


class OneLayer(pl.LightningModule):
    """The parts of a classifier that RegisterRun reads: facts() and results."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        self.results: dict[str, Result] = {}
        self.error = error

    def facts(self) -> ModelFacts:
        return model_facts()

    def training_step(self, batch: list[Tensor]) -> Tensor:
        if self.error:
            raise self.error
        return self.layer(batch[0]).sum()

    def validation_step(self, batch: list[Tensor]) -> None:
        self.log("val/f1_macro", 0.5)

    def on_validation_epoch_end(self) -> None:
        self.results["val"] = Result(Metrics(f1_macro=0.5))

    def test_step(self, batch: list[Tensor]) -> None:
        self.results["test"] = Result(Metrics(f1_macro=0.4))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


class Rows(pl.LightningDataModule):
    def __init__(self, error: BaseException | None = None, train_fraction: float = 1.0) -> None:
        super().__init__()
        self.error, self.train_fraction = error, train_fraction

    def setup(self, stage: str) -> None:
        if self.error:
            raise self.error

    def facts(self) -> DataFacts:
        return data_facts(train_fraction=self.train_fraction)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(torch.ones(8, 2)), batch_size=2)

    val_dataloader = test_dataloader = train_dataloader


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    folder = folders.claim(tmp_path / "outputs", "attention", NOW)
    run = LiveRun.register(
        folder, name="attention", description="", tags=[], note="", seed=1, category_said=None, sweep=None, group="",
        lineage=Lineage(), liveness=POLICY.liveness, now=NOW,
    )  # fmt: skip
    yield run
    heartbeat.stop(folder)


def a_trainer(run: LiveRun, *, enabled: bool = True, **options: object) -> pl.Trainer:
    outputs = run.folder.parent
    callbacks = [
        RegisterRun(run),
        ClassifyRun(run, POLICY),
        ModelCheckpoint(run.folder / "checkpoints", filename="best", monitor="val/f1_macro", mode="max"),
        ArchiveDebugRuns(run, POLICY, outputs, outputs.parent / "models", enabled=enabled),
    ]
    values: dict[str, object] = {
        "callbacks": callbacks, "max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_progress_bar": False,
        "enable_model_summary": False, "log_every_n_steps": 1, "num_sanity_val_steps": 1,
    }  # fmt: skip
    return pl.Trainer(**(values | options))  # type: ignore[arg-type]


def train(run: LiveRun, module: OneLayer | None = None, data: Rows | None = None, **options: object) -> RunRecord:
    trainer, module, data = a_trainer(run, **options), module or OneLayer(), data or Rows()
    with recording(run):
        trainer.fit(module, data)
        if not trainer.fast_dev_run:
            trainer.validate(module, data, verbose=False)
            trainer.test(module, data, ckpt_path="best", verbose=False)
    return run.record()


def test_complete_training_is_recorded(run: LiveRun) -> None:
    record = train(run)
    assert (record.status, record.category) == (Status.COMPLETED, Category.BASELINE)
    assert (record.data, record.model, record.smoke) == (data_facts(), model_facts(), Smoke())
    assert record.metrics.val == Metrics(f1_macro=0.5)
    assert record.metrics.test == Metrics(f1_macro=0.4)
    assert (record.timing.epochs, record.timing.steps) == (2, 8)
    assert record.timing.fit_s is not None
    assert record.timing.setup_s is not None
    assert record.timing.test_s is not None
    assert record.checkpoint is not None
    best = (run.folder / record.checkpoint.path).read_bytes()
    assert (record.checkpoint.sha256, record.checkpoint.score) == (hashlib.sha256(best).hexdigest(), 0.5)
    assert [event.what for event in record.history] == [
        "registered", "started", "classified", "val measured", "test measured", "completed",
    ]  # fmt: skip


def test_tested_run_does_not_stay_running(run: LiveRun) -> None:
    train(run)
    a_trainer(run).test(OneLayer(), Rows(), verbose=False)  # calls setup again, on a finished run
    assert run.record().status is Status.COMPLETED


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (
            ValueError("I have not slept"),
            Status.FAILED,
            "ValueError: Its message is not kept, since it may quote the data",
        ),
        (torch.OutOfMemoryError("CUDA out of memory"), Status.FAILED, "OutOfMemoryError: CUDA out of memory"),
        (KeyboardInterrupt(), Status.INTERRUPTED, "Ctrl-C"),
    ],
    ids=["an error of another library", "out of memory", "Ctrl-C"],
)
def test_error_in_a_training_step_is_recorded(run: LiveRun, error: BaseException, status: Status, reason: str) -> None:
    with pytest.raises((type(error), SystemExit)):
        train(run, OneLayer(error))
    assert (run.record().status, run.record().status_reason) == (status, reason)


def test_error_in_the_setup_of_the_data_module_is_recorded(run: LiveRun) -> None:
    with pytest.raises(OSError, match="No such file"):
        train(run, data=Rows(error=FileNotFoundError(2, "No such file or directory", "train.csv")))
    assert run.record().status_reason == "FileNotFoundError: No such file or directory: train.csv"


class TermInStep(OneLayer):
    def training_step(self, batch: list[Tensor]) -> Tensor:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().training_step(batch)


def test_sigterm_during_fit_is_an_interruption(run: LiveRun) -> None:
    with pytest.raises(BaseException, match="SIGTERM"):
        train(run, TermInStep())
    assert (run.record().status, run.record().status_reason) == (Status.INTERRUPTED, "SIGTERM")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"fast_dev_run": True}, Smoke(fast_dev_run=True)),
        ({"limit_train_batches": 2}, Smoke(limited=["limit_train_batches=2"])),
        ({"limit_train_batches": 1}, Smoke(limited=["limit_train_batches=1"])),
        ({"limit_train_batches": 1.0}, Smoke()),
        ({"limit_val_batches": 0.25}, Smoke(limited=["limit_val_batches=0.25"])),
        ({"limit_train_batches": 2, "limit_test_batches": 3},
         Smoke(limited=["limit_train_batches=2", "limit_test_batches=3"])),
        ({"overfit_batches": 2}, Smoke(limited=["overfit_batches=2"])),
        ({}, Smoke()),
    ],
)  # fmt: skip
def test_options_of_the_trainer_make_a_smoke_test(options: dict[str, object], expected: Smoke) -> None:
    trainer = pl.Trainer(accelerator="cpu", logger=False, **options)  # type: ignore[arg-type]
    assert smoke(trainer) == expected


def test_fast_dev_run_is_a_debug_run_without_a_checkpoint(run: LiveRun) -> None:
    record = train(run, fast_dev_run=True)
    assert (record.status, record.category_reason) == (Status.COMPLETED, "smoke test: fast_dev_run")
    assert record.checkpoint is None


def test_run_on_a_part_of_train_is_a_debug_run(run: LiveRun) -> None:
    assert train(run, data=Rows(train_fraction=0.1)).category is Category.DEBUG


def test_incomplete_checkpoint_is_an_event_and_not_recorded(run: LiveRun) -> None:
    class Truncate(pl.Callback):
        def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            path = Path(trainer.checkpoint_callback.best_model_path)  # type: ignore[union-attr]
            path.write_bytes(path.read_bytes()[:100])

    trainer = a_trainer(run)
    trainer.callbacks.insert(0, Truncate())  # type: ignore[attr-defined]
    trainer.fit(OneLayer(), Rows())
    record = run.record()
    assert record.checkpoint is None
    assert "checkpoint not whole" in [event.what for event in record.history]


def old_debug_runs(outputs: Path, count: int = 4) -> list[Path]:
    return [a_run(outputs, f"d_20261101_00000{number}_0000", category="debug") for number in range(count)]


def test_old_debug_runs_are_archived_when_fit_ends(run: LiveRun) -> None:
    old = old_debug_runs(run.folder.parent)
    train(run)
    assert [folder.is_dir() for folder in old] == [False, True, True, True]
    assert run.folder.is_dir()
    assert store.read(run.folder.parent / "archive_debug" / old[0].name).status is Status.COMPLETED


def test_disabled_archiving_moves_nothing(run: LiveRun) -> None:
    old = old_debug_runs(run.folder.parent)
    train(run, enabled=False)
    assert all(folder.is_dir() for folder in old)


def test_error_while_archiving_is_logged_and_not_raised(run: LiveRun, caplog: pytest.LogCaptureFixture) -> None:
    old_debug_runs(run.folder.parent)
    (run.folder.parent / "archive_debug").write_text("a file with the name of the archive")
    assert train(run).status is Status.COMPLETED
    assert "was not archived: " in caplog.text
