"""Real files and data modules for the tests of mhc/data."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mhc.data.datamodule import TextDataModule
from mhc.data.options import Cleaning, Splitting
from mhc.data.sources import Files

CLEANING = {"conflicting": "drop", "rare_labels": "refuse", "min_rows_per_label": 2, "unknown_labels": "refuse"}
SPLITTING = {"val": 0.2, "test": 0.2, "salt": "mhc", "train_fraction": 1.0, "max_train_rows": None}
BATCHING = {
    "tokens": 256,
    "eval_tokens": 512,
    "max_rows": 16,
    "bucketing": True,
    "pad_multiple": 8,
    "prefetch": 0,
}
TOKENIZER = {"kind": "wordpiece", "vocab_size": 500, "max_tokens": 32}

WORDS = ("rain", "sun", "work", "home", "tired", "calm", "panic", "sleep", "walk", "friend", "alone", "exam", "garden")


def some_rows(count: int = 60, labels: Iterable[str] = ("anxiety", "normal")) -> list[tuple[str, str]]:
    """Return rows of different texts and lengths, each label equally often."""
    names = list(labels)
    return [
        (
            f"note {row} " + " ".join(WORDS[(row * 7 + word) % len(WORDS)] for word in range(1 + row % 30)),
            names[row % len(names)],
        )
        for row in range(count)
    ]


def write_csv(path: Path, rows: Iterable[Iterable[str]], header: Iterable[str] = ("text", "label")) -> Path:
    """Write a CSV file as a spreadsheet program does."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture
def make_csv(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a CSV file of some rows into the folder of the test."""

    def make(name: str = "train.csv", rows: Iterable[Iterable[str]] | None = None, **options: Iterable[str]) -> Path:
        return write_csv(tmp_path / name, some_rows() if rows is None else rows, **options)

    return make


@pytest.fixture
def make_datamodule(tmp_path: Path) -> Callable[..., TextDataModule]:
    """Return a function that builds a data module over files; keywords change its nodes."""

    def make(train: Path | None = None, source: object = None, **changes: object) -> TextDataModule:
        path = train or (tmp_path / "train.csv")
        if train is None and source is None and not path.exists():
            write_csv(path, some_rows())
        nodes = {"cleaning": CLEANING, "splitting": SPLITTING, "batching": BATCHING, "tokenizer": TOKENIZER}
        merged = {name: {**values, **changes.pop(name, {})} for name, values in nodes.items()}
        options = {"cache_dir": str(tmp_path / "cache"), "seed": 1, **merged, **changes}
        return TextDataModule(source=source or Files(train=str(path)), **options)

    return make


@pytest.fixture
def cleaning() -> Cleaning:
    """Return the cleaning options of conf/data."""
    return Cleaning(**CLEANING)


@pytest.fixture
def splitting() -> Splitting:
    """Return a cut with a fifth each for val and test."""
    return Splitting(**SPLITTING)
