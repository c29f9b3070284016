"""Where rows come from: files, the Hugging Face hub, or our own generator (`mhc.data.synthetic`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mhc.data import fingerprint, readers
from mhc.data.cleaning import Rows
from mhc.data.file_checks import kind_of
from mhc.data.readers import Columns
from mhc.errors import BadConfig, BadInput

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""What a split may be called, and what we call it."""


@dataclass(frozen=True, kw_only=True)
class Raw:
    """What a source has, before cleaning; only `train` is always there."""

    splits: dict[str, Rows]
    origin: str
    """Where it came from: file names, hub name; never a text."""
    names: tuple[str, ...] = ()
    """Label names in their order, where the source says so itself."""


class Source(Protocol):
    """What the data module asks of a source."""

    @property
    def name(self) -> str:
        """What the data is called on record."""

    @property
    def synthetic(self) -> bool:
        """Whether a program wrote the texts."""

    def key(self) -> dict[str, object]:
        """Return plain values that are equal exactly when `read` gives the same rows."""

    def read(self, cache: Path) -> Raw:
        """Return the rows; `cache` is for what the reading library keeps."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """CSV, TSV, JSONL or Parquet files: one for all, or one per split."""

    train: str
    val: str | None = None
    test: str | None = None
    text: str = "text"
    label: str = "label"
    group: str | None = None
    split: str | None = None
    separator: str | None = None
    """Of CSV files; None: by the suffix."""

    synthetic = False

    def __post_init__(self) -> None:
        """Refuse two ways of naming the splits at once."""
        if self.split is not None and (self.val or self.test):
            raise BadConfig("data.split names a column of splits, so data.val and data.test must be left out")

    @property
    def columns(self) -> Columns:
        """The names of the columns."""
        return Columns(text=self.text, label=self.label, group=self.group, split=self.split)

    @property
    def paths(self) -> dict[str, Path]:
        """The file of each split."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {name: Path(path) for name, path in named.items() if path is not None}

    @property
    def name(self) -> str:
        """The folder of the training file, or the file where that says nothing."""
        return Path(self.train).resolve().parent.name or Path(self.train).stem

    def key(self) -> dict[str, object]:
        """Return what decides the rows: the contents of the files and how they are read."""
        for path in self.paths.values():
            kind_of(path)
        return {
            "source": "files",
            "files": fingerprint.of_files(self.paths.values()),
            "splits": list(self.paths),
            "kinds": [path.suffix.lower() for path in self.paths.values()],
            "columns": self.columns.names(),
            "separator": self.separator,
        }

    def read(self, cache: Path) -> Raw:
        """Read and check all files.

        Raises:
            BadInput: a file is empty, ragged, not UTF-8, or lacks a column.
            NotFound: there is no such file.
        """
        splits = {
            name: readers.file_rows(path, self.columns, self.separator, cache) for name, path in self.paths.items()
        }
        origin = ", ".join(str(path) for path in self.paths.values())
        if self.split is not None:
            rows, values = splits["train"]
            return Raw(splits=by_column(rows, values, origin), origin=origin)
        return Raw(splits={name: rows for name, (rows, _) in splits.items()}, origin=origin)


@dataclass(frozen=True, kw_only=True)
class HuggingFace:
    """A data set of the Hugging Face hub, or a local folder of one."""

    path: str
    """Name on the hub, or folder."""
    config: str | None = None
    """Which configuration, where the data set has several."""
    revision: str | None = None
    """Commit or tag on the hub."""
    train: str = "train"
    """Name of the split to train on."""
    val: str | None = None
    test: str | None = None
    text: str = "text"
    label: str = "label"
    group: str | None = None

    synthetic = False

    @property
    def columns(self) -> Columns:
        """The names of the columns."""
        return Columns(text=self.text, label=self.label, group=self.group)

    @property
    def name(self) -> str:
        """The name on the hub, or of the folder."""
        return Path(self.path).name if Path(self.path).is_dir() else self.path

    def key(self) -> dict[str, object]:
        """Return what decides the rows; the contents where the data set is a folder."""
        folder = Path(self.path)
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
        return {
            "source": "huggingface",
            "path": fingerprint.of_files(files) if files else self.path,
            "options": [self.config, self.revision, self.train, self.val, self.test],
            "columns": self.columns.names(),
        }

    def read(self, cache: Path) -> Raw:
        """Load the splits.

        Raises:
            BadInput: the hub or the folder has no such data set, split or column.
        """
        wanted = {"train": self.train, "val": self.val, "test": self.test}
        found = readers.hub_splits(self.path, self.config, self.revision, cache)
        splits: dict[str, Rows] = {}
        names: Sequence[str] = ()
        for name, asked in wanted.items():
            if asked is None:
                continue
            if asked not in found:
                raise BadInput(f"{self.path} has no split {asked!r}. It has: {', '.join(found)}")
            splits[name], names = readers.hub_rows(found[asked], self.columns, f"{self.path}, split {asked}")
        return Raw(splits=splits, origin=self.path, names=tuple(names))


def by_column(rows: Rows, values: list[str], origin: str) -> dict[str, Rows]:
    """Return the rows by what their split column says.

    Raises:
        BadInput: a value is no name of a split, or there are no rows to train on.
    """
    sides = [SPLITS.get(value.strip().lower()) for value in values]
    if None in sides:
        row = sides.index(None)
        raise BadInput(
            f"Row {row + 1} of {origin} names no split in its split column. Use train, val and test, or leave "
            "data.split out"
        )
    if "train" not in sides:
        raise BadInput(f"No row of {origin} is for train. Use train, val and test in the split column")
    return {
        name: rows.where(lambda row, name=name: sides[row] == name)  # type: ignore[misc]
        for name in ("train", "val", "test")
        if name in sides
    }
