from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import NoReturn

import pytest

from callbacks.progress import Progress
from mhc.report import progress_line
from tests.support.learning import Data, a_classifier, a_trainer

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
