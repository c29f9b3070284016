"""Read files ourselves, and data sets of the hub with Hugging Face `datasets`.

A path is opened as it is. It is never passed to a library that would take it for a pattern or a URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING

import msgspec

from mhc.data.cleaning import Rows
from mhc.data.file_checks import check_columns, check_utf8, kind_of, rows_of_csv, separator_of
from mhc.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

Values = list[list[str]]
"""One list per column, in the order of `Columns.names`; a missing value is an empty string."""

BATCH = 8192
"""Rows that are converted at once."""

PATTERN_CHARACTERS = "*?[]{}"
"""Characters with which `datasets` takes the path of a folder, or of a file in it, for a pattern."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns."""

    text: str
    label: str
    group: str | None = None
    """Column of authors; all texts of one author are in one split."""
    split: str | None = None
    """Column of split names: train, val or test."""

    def names(self) -> list[str]:
        """Return the names of the columns that are read."""
        return [name for name in (self.text, self.label, self.group, self.split) if name is not None]


def file_rows(path: Path, columns: Columns, separator: str | None) -> tuple[Rows, list[str]]:
    """Return the rows of one file, and the values of its split column (empty if there is no such column).

    Raises:
        BadInput: if the file is empty, ragged, not UTF-8, or lacks a column.
        NotFound: if there is no such file.
    """
    kind = kind_of(path)
    if kind == "parquet":
        values = values_of_parquet(path, columns)
    else:
        check_utf8(path)
        values = values_of_json(path, columns) if kind == "json" else values_of_csv(path, columns, separator)
    rows, splits = as_rows(values, columns)
    if len(rows) == 0:
        raise BadInput(f"{path} has column names but no rows. Add rows, or name another file")
    return rows, splits


def values_of_csv(path: Path, columns: Columns, separator: str | None) -> Values:
    """Return the columns of a CSV file; every value is a string, `NA` and `null` included.

    Raises:
        BadInput: if the file has no rows, is ragged, or lacks a column.
    """
    lines = rows_of_csv(path, separator_of(path, separator))
    _, header = next(lines, (1, []))
    check_columns(path, header, columns.names())
    values: Values = [[] for _ in columns.names()]
    positions = [(header.index(name), column) for name, column in zip(columns.names(), values, strict=True)]
    for _, fields in lines:
        for position, column in positions:
            column.append(fields[position])
    return values


def values_of_json(path: Path, columns: Columns) -> Values:
    """Return the fields `columns` of a file of JSON lines, as strings.

    Raises:
        BadInput: if a line is not a JSON object, or lacks a field.
    """
    values: Values = [[] for _ in columns.names()]
    for fields in rows_of_json(path, columns.names()):
        for column, value in zip(values, fields, strict=True):
            column.append(value)
    return values


def rows_of_json(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    """Yield the fields `columns` of each line; blank lines are skipped.

    Raises:
        BadInput: if a line is not a JSON object, or lacks a field; the message names the line.
    """
    decoder = msgspec.json.Decoder()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            content = line.removeprefix(b"\xef\xbb\xbf").strip()
            if content:
                yield fields_of(content, decoder, columns, f"Line {number} of {path}")


def fields_of(content: bytes, decoder: msgspec.json.Decoder[object], columns: Sequence[str], where: str) -> list[str]:
    """Return the fields `columns` of one line of JSON as strings.

    Raises:
        BadInput: if the line is not a JSON object, or a field is missing or not a plain value.
    """
    try:
        values = decoder.decode(content)
    except msgspec.DecodeError:
        raise BadInput(f"{where} is not valid JSON. Write one object per line") from None
    if not isinstance(values, dict):
        raise BadInput(
            f'{where} is not a JSON object. Write one object per line, such as {{"text": ..., "label": ...}}'
        )
    fields = []
    for name in columns:
        if name not in values:
            raise BadInput(f"{where} has no field {name!r}. It has: {', '.join(map(str, values))}")
        value = values[name]
        if isinstance(value, (dict, list)):
            raise BadInput(f"{where} has no plain value in {name!r}. Use a string or a number")
        fields.append("" if value is None else str(value))
    return fields


def values_of_parquet(path: Path, columns: Columns) -> Values:
    """Return the columns of a Parquet file.

    Raises:
        BadInput: if the file is damaged, lacks a column, or a column does not contain texts.
    """
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        with path.open("rb") as file:
            parquet = pq.ParquetFile(file)
            check_columns(path, parquet.schema_arrow.names, columns.names())
            return values_of_arrow(parquet.iter_batches(BATCH, columns=columns.names()), columns, str(path))
    except (ArrowException, OSError) as error:
        raise BadInput(f"{path} is not a readable Parquet file ({type(error).__name__}). Write it again") from error


def values_of_arrow(tables: Iterable[pa.Table | pa.RecordBatch], columns: Columns, where: str) -> Values:
    """Return the columns of Arrow tables that follow each other.

    Raises:
        BadInput: if a column does not contain texts.
    """
    import pyarrow as pa

    values: Values = [[] for _ in columns.names()]
    for table in tables:
        for name, column in zip(columns.names(), values, strict=True):
            cells = table.column(name)
            try:
                column.extend(cell or "" for cell in cells.cast(pa.large_string()).to_pylist())
            except pa.ArrowException as error:
                raise BadInput(
                    f"Column {name!r} of {where} contains {cells.type}, not texts. Choose another"
                ) from error
    return values


def hub_splits(path: str, config: str | None, revision: str | None, cache: Path) -> dict[str, Dataset]:
    """Return all splits of a hub data set, or of a folder (saved with `save_to_disk`, or of files).

    Raises:
        BadInput: if there is no such data set, it is a program, or its path would be taken for a pattern.
    """
    import datasets

    datasets.disable_progress_bars()
    folder = Path(path)
    saved = (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()
    if folder.is_dir():
        refuse_patterns(folder.absolute(), "" if saved else PATTERN_CHARACTERS)
    try:
        if saved:
            data = datasets.load_from_disk(str(folder.absolute()))
        else:
            data = datasets.load_dataset(path, config, revision=revision, cache_dir=str(cache.absolute()))
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        if "scripts are no longer supported" in str(error):
            raise BadInput(
                f"The data set {path} is a program, which mhc does not execute. Choose one that consists of files, or "
                "save its rows to files and name them with data=files"
            ) from error
        raise BadInput(
            f"The data set {path} could not be loaded ({type(error).__name__}). Check data.path=, data.config= and the "
            "connection, or give a local folder"
        ) from error
    return dict(data) if isinstance(data, dict) else {"train": data}


def refuse_patterns(folder: Path, characters: str) -> None:
    """Refuse a folder if `datasets` would take its path, or that of a file in it, for a pattern or a URL.

    Raises:
        BadInput: if there is such a path.
    """
    for path in (folder, *sorted(folder.rglob("*"))):
        special = "::" if "::" in str(path) else "".join(sorted(set(str(path)) & set(characters)))
        if special:
            raise BadInput(
                f"{path} has {special} in its name, which the library datasets takes for a pattern. Rename it, or name "
                "the files with data=files"
            )


def hub_rows(dataset: Dataset, columns: Columns, where: str) -> tuple[Rows, Sequence[str]]:
    """Return the rows, and the label names if the data set has them.

    Raises:
        BadInput: if a column is missing or does not contain texts.
    """
    import datasets

    check_columns(Path(where), dataset.column_names, columns.names())
    feature = dataset.features[columns.label]
    names: Sequence[str] = feature.names if isinstance(feature, datasets.ClassLabel) else ()
    values = values_of_arrow(dataset.with_format("arrow").iter(BATCH), columns, where)
    rows, _ = as_rows(values, columns)
    if names:
        labels = [names[int(label)] if label not in ("", "-1") else "" for label in rows.labels]
        rows = Rows(texts=rows.texts, labels=labels, groups=rows.groups)
    return rows, names


def as_rows(values: Values, columns: Columns) -> tuple[Rows, list[str]]:
    """Return the columns as rows, and the split column; equal labels, groups and splits share their memory."""
    by_name = dict(zip(columns.names(), values, strict=True))
    groups = [intern(group) or None for group in by_name[columns.group]] if columns.group is not None else None
    splits = list(map(intern, by_name[columns.split])) if columns.split is not None else []
    rows = Rows(texts=by_name[columns.text], labels=list(map(intern, by_name[columns.label])), groups=groups)
    return rows, splits
