"""Read the rows of files and of data sets of the hub: the columns of text, label, author and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING

from mhc.data.cleaning import Rows
from mhc.data.tables import columns as column_names
from mhc.data.tables import source
from mhc.data.tables.hub import BATCH
from mhc.data.tables.options import Reading
from mhc.data.tables.parquet_table import cells_of_arrow
from mhc.data.tables.table import TRAINING_KEYS, open_table
from mhc.errors import BadInput

if TYPE_CHECKING:
    from datasets import Dataset

JOINED_BY = "\n"
"""Between the texts of several columns."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns."""

    text: Sequence[str]
    """Their texts are joined, in this order."""
    label: str
    group: str | None = None
    """Column of authors; all texts of one author are in one split."""
    split: str | None = None
    """Column of split names: train, val or test."""

    def names(self) -> list[str]:
        """Return the names of the columns that are read."""
        return [*self.text, *(name for name in (self.label, self.group, self.split) if name is not None)]


@dataclass(frozen=True, kw_only=True)
class FileRows:
    """The rows of one file."""

    rows: Rows
    splits: list[str]
    """Values of the split column; empty if there is no such column."""
    notes: list[str]
    """What was found in the file and is not as usual."""


def file_rows(path: Path, columns: Columns, reading: Reading, keys: str = TRAINING_KEYS) -> FileRows:
    """Return the rows of one file; `keys` are the keys that choose its columns.

    Raises:
        BadInput: if the file is empty, ragged, does not fit its encoding, or lacks a column.
        NotFound: if there is no such file.
    """
    table = open_table(source.of_path(path), reading, columns.names())
    cells = table.cells(columns.names(), keys)
    rows, splits = as_rows(cells.values, columns)
    if len(rows) == 0:
        raise BadInput(f"{path} has column names but no rows. Add rows, or name another file")
    return FileRows(rows=rows, splits=splits, notes=[f"{path.name}: {note}" for note in cells.notes])


def hub_rows(dataset: Dataset, columns: Columns, where: str) -> tuple[Rows, Sequence[str]]:
    """Return the rows, and the label names if the data set has them.

    Raises:
        BadInput: if a column is missing or does not contain texts.
    """
    import datasets

    places = column_names.required(dataset.column_names, columns.names(), where, TRAINING_KEYS)
    names = [dataset.column_names[place] for place in places]
    feature = dataset.features[names[len(columns.text)]]
    classes: Sequence[str] = feature.names if isinstance(feature, datasets.ClassLabel) else ()
    rows, _ = as_rows(cells_of_arrow(dataset.with_format("arrow").iter(BATCH), names, where), columns)
    if classes:
        labels = [classes[int(label)] if label not in ("", "-1") else "" for label in rows.labels]
        rows = Rows(texts=rows.texts, labels=labels, groups=rows.groups)
    return rows, classes


def as_rows(values: Sequence[list[str]], columns: Columns) -> tuple[Rows, list[str]]:
    """Return the columns as rows, and the split column; equal labels, groups and splits share their memory."""
    count = len(columns.text)
    rest = dict(zip(columns.names()[count:], values[count:], strict=True))
    groups = [intern(group) or None for group in rest[columns.group]] if columns.group is not None else None
    splits = list(map(intern, rest[columns.split])) if columns.split is not None else []
    rows = Rows(texts=joined(values[:count]), labels=list(map(intern, rest[columns.label])), groups=groups)
    return rows, splits


def joined(texts: Sequence[list[str]]) -> list[str]:
    """Return one text per row; empty parts are left out."""
    if len(texts) == 1:
        return texts[0]
    return [JOINED_BY.join(filter(None, parts)) for parts in zip(*texts, strict=True)]
