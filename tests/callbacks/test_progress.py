from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from callbacks.progress import Progress
from mhc.model.classifier import Batch
from mhc.model.linear import bag
from mhc.report import progress_line
from tests.support.learning import Data, Rows, a_classifier, a_trainer

LINE = re.compile(
    r"epoch \d/2  loss \d\.\d{3}  val macro-F1 \d\.\d{3}( \(best\))?  [\d.]+[kM]? tokens/s(  \d+:\d\d left)?$"
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "mhc.progress"]


def test_every_epoch_has_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    with caplog.at_level(logging.INFO):
        a_trainer(tmp_path, Progress(stream), max_epochs=2).fit(a_classifier(), datamodule=Data())
    assert len(lines(caplog)) == 2
    assert all(LINE.match(line) for line in lines(caplog)), lines(caplog)
    assert "(best)" in lines(caplog)[0]
    assert "left" not in lines(caplog)[-1]
    assert stream.getvalue() == ""


def test_score_of_an_earlier_epoch_is_called_that(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        trainer = a_trainer(tmp_path, Progress(io.StringIO()), max_epochs=4, check_val_every_n_epoch=3)
        trainer.fit(a_classifier(), datamodule=Data())
    scores = [re.search(r"macro-F1 \d\.\d{3}( \(.*\))?", line) for line in lines(caplog)]
    assert [match and match[1] for match in scores] == [None, None, " (best)", " (epoch 3)"]


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_best_after_a_resume_is_better_than_all_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for epochs in (10, 12):
        best = ModelCheckpoint(tmp_path, filename="best", monitor="val/f1_macro", mode="max", save_last=True)
        last = tmp_path / "last.ckpt" if epochs == 12 else None
        with caplog.at_level(logging.INFO):
            trainer = a_trainer(tmp_path, Progress(io.StringIO()), best, max_epochs=epochs, enable_checkpointing=True)
            trainer.fit(a_classifier(), datamodule=Data(), ckpt_path=last)
    scores = [float(line.split("macro-F1 ")[1][:5]) for line in lines(caplog)]
    marked = ["(best)" in line for line in lines(caplog)]
    assert len(scores) > 10
    assert marked == [score > max(scores[:number], default=0) for number, score in enumerate(scores)]


def test_rate_of_a_bag_of_words_counts_ngrams(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Bags(Rows):
        def __iter__(self) -> Iterator[Batch]:
            yield from (
                {key: value for key, value in batch.items() if key != "attention_mask"} for batch in super().__iter__()
            )

    class BagData(Data):
        def part(self, rows: int, seed: int) -> Rows:
            return Bags(rows, seed)

    def network(num_labels: int, vocab_size: int, pad_id: int, labels: list[str]) -> torch.nn.Module:
        return bag(num_labels, vocab_size, pad_id, labels)

    with caplog.at_level(logging.INFO):
        model = a_classifier(network=network)
        a_trainer(tmp_path, Progress(io.StringIO()), max_epochs=1).fit(model, datamodule=BagData())
    assert "n-grams/s" in lines(caplog)[0]
    assert "tokens/s" not in lines(caplog)[0]


def test_bar_on_a_terminal_is_erased_before_each_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callbacks.progress.REDRAW_INTERVAL", 0.0)
    terminal = Terminal()
    handler = logging.StreamHandler(terminal)
    root = logging.getLogger()
    root.addHandler(handler)
    level, _ = root.level, root.setLevel(logging.INFO)
    try:
        a_trainer(tmp_path, Progress(terminal), max_epochs=2).fit(a_classifier(), datamodule=Data())
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    written = terminal.getvalue()
    assert "\r\x1b[Kepoch 1/2  ━" in written
    assert all(f"\r\x1b[Kepoch {number}/2  loss" in written for number in (1, 2))
    assert handler.filters == []


def test_bar_is_erased_if_the_training_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callbacks.progress.REDRAW_INTERVAL", 0.0)
    terminal = Terminal()

    class FailingData(Data):
        def val_dataloader(self) -> NoReturn:
            raise RuntimeError("the disk failed")

    with pytest.raises(RuntimeError, match="the disk failed"):
        a_trainer(tmp_path, Progress(terminal)).fit(a_classifier(), datamodule=FailingData())
    assert terminal.getvalue() == "" or terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("done", "drawn"), [(0, " " * 28), (14, "━" * 14 + " " * 14), (1, "━" + " " * 27), (28, "━" * 28)]
)
def test_length_of_the_bar_is_the_progress(done: int, drawn: str) -> None:
    assert progress_line.batch_line("1/2", done, 28, ["0:10 left"]) == f"epoch 1/2  {drawn}  {done}/28  0:10 left"


@pytest.mark.parametrize(("seconds", "text"), [(7, "0:07"), (750, "12:30"), (11045, "3:04:05"), (-1, "0:00")])
def test_times_are_formatted_as_on_a_clock(seconds: float, text: str) -> None:
    assert progress_line.format_seconds(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(850.4, "850"), (9800, "9.8k"), (1_200_000, "1.2M")])
def test_rates_have_one_decimal(rate: float, text: str) -> None:
    assert progress_line.rate(rate) == text
