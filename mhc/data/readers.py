"""Read files and hub data sets with Hugging Face `datasets`, which caches them as Arrow files.

`datasets` takes a second to import, so it is imported inside functions: only if the corpus is not in our own cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from mhc.data import fingerprint
from mhc.data.cache import disk_error
from mhc.data.cleaning import Rows
from mhc.data.file_checks import check_columns, check_utf8, kind_of, rows_of_csv, separator_of
from mhc.errors import BadInput

if TYPE_CHECKING:
    from datasets import Dataset


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


def file_rows(path: Path, columns: Columns, separator: str | None, cache: Path) -> tuple[Rows, list[str]]:
    """Return the rows of one file, and the values of its split column (empty if there is no such column).

    Raises:
        BadInput: if the file is empty, ragged, not UTF-8, or lacks a column.
        NotFound: if there is no such file.
    """
    kind = kind_of(path)
    if kind == "parquet":
        table = arrow_of_parquet(path, columns)
    else:
        check_utf8(path)
        table = arrow_of_json(path, columns, cache) if kind == "json" else arrow_of_csv(path, columns, separator, cache)
    rows, splits = as_rows(table, columns, str(path))
    if len(rows) == 0:
        raise BadInput(f"{path} has column names but no rows. Add rows, or name another file")
    return rows, splits


def arrow_of_csv(path: Path, columns: Columns, separator: str | None, cache: Path) -> Dataset:
    """Return the rows of a CSV file; every value is a string, `NA` and `null` included.

    Raises:
        BadInput: if the file has no rows, is ragged, or lacks a column.
    """
    separator = separator_of(path, separator)
    lines = rows_of_csv(path, separator)
    _, header = next(lines, (1, []))
    check_columns(path, header, columns.names())
    if sum(1 for _ in lines) == 0:  # reads to the end, so that a ragged row is reported here
        raise BadInput(f"{path} has column names but no rows. Add rows, or name another file")
    import datasets

    features = datasets.Features({name: datasets.Value("string") for name in header})
    return load_file(
        "csv",
        path,
        cache,
        sep=separator,
        features=features,
        keep_default_na=False,
        encoding="utf-8-sig",
    )


def arrow_of_json(path: Path, columns: Columns, cache: Path) -> Dataset:
    """Return the rows of a file of JSON lines; only the fields of `columns`, as strings.

    Raises:
        BadInput: if a line is not a JSON object, or lacks a field.
    """
    import datasets

    datasets.disable_progress_bars()
    key = fingerprint.of_values([fingerprint.of_files([path]), columns.names()])
    features = datasets.Features({name: datasets.Value("string") for name in columns.names()})
    try:
        return datasets.Dataset.from_generator(
            rows_of_json,
            features=features,
            gen_kwargs={"path": path, "columns": tuple(columns.names())},  # `datasets` would split a list into shards
            cache_dir=str(cache),
            fingerprint=key,
        )
    except datasets.exceptions.DatasetGenerationError as error:
        raise cause_of(error, path) from error


def rows_of_json(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str | None]]:
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


def fields_of(
    content: bytes, decoder: msgspec.json.Decoder[object], columns: Sequence[str], where: str
) -> dict[str, str | None]:
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
    fields: dict[str, str | None] = {}
    for name in columns:
        if name not in values:
            raise BadInput(f"{where} has no field {name!r}. It has: {', '.join(map(str, values))}")
        value = values[name]
        if isinstance(value, (dict, list)):
            raise BadInput(f"{where} has no plain value in {name!r}. Use a string or a number")
        fields[name] = None if value is None else str(value)
    return fields


def arrow_of_parquet(path: Path, columns: Columns) -> Dataset:
    """Return the rows of a Parquet file as a memory map.

    Raises:
        BadInput: if the file is damaged or lacks a column.
    """
    import datasets
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        check_columns(path, pq.read_schema(path).names, columns.names())
        return datasets.Dataset(pq.read_table(path, columns=columns.names(), memory_map=True))
    except (ArrowException, OSError) as error:
        raise BadInput(f"{path} is not a readable Parquet file ({type(error).__name__}). Write it again") from error


def load_file(kind: str, path: Path, cache: Path, **options: object) -> Dataset:
    """Return the rows of one file, read by `datasets.load_dataset`.

    Raises:
        BadInput: if it cannot be read, or there is no space left on the disk.
        Refused: if the cache is not writable.
    """
    import datasets

    datasets.disable_progress_bars()
    # `datasets` itself compares only the name and the time of a file
    folder = cache / fingerprint.of_files([path])[: fingerprint.SHORT]
    try:
        return cast(
            "Dataset",
            datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(folder), **options),
        )
    except datasets.exceptions.DatasetGenerationError as error:
        raise cause_of(error, path) from error


def cause_of(error: BaseException, path: Path) -> Exception:
    """Return the user-facing error for an error that `datasets` has wrapped; never the content of a row."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, BadInput):
            return inner
        if isinstance(inner, OSError) and inner.errno is not None:
            return disk_error(inner, path)
        inner = inner.__cause__ or inner.__context__
    return BadInput(f"{path} could not be read ({type(error.__cause__).__name__}). Check that every quote is closed")


def hub_splits(path: str, config: str | None, revision: str | None, cache: Path) -> dict[str, Dataset]:
    """Return all splits of a hub data set, or of a folder (saved with `save_to_disk`, or of files).

    Raises:
        BadInput: if there is no such data set, or it cannot be reached.
    """
    import datasets

    datasets.disable_progress_bars()
    try:
        if (Path(path) / "dataset_dict.json").exists() or (Path(path) / "state.json").exists():
            data = datasets.load_from_disk(path)
        else:
            data = datasets.load_dataset(path, config, revision=revision, cache_dir=str(cache))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(
            f"The data set {path} could not be loaded ({type(error).__name__}). Check data.path=, data.config= and the "
            "connection, or give a local folder"
        ) from error
    return dict(data) if isinstance(data, dict) else {"train": data}


def hub_rows(dataset: Dataset, columns: Columns, where: str) -> tuple[Rows, Sequence[str]]:
    """Return the rows, and the label names if the data set has them.

    Raises:
        BadInput: if a column is missing or does not contain texts.
    """
    import datasets

    check_columns(Path(where), dataset.column_names, columns.names())
    feature = dataset.features[columns.label]
    names: Sequence[str] = feature.names if isinstance(feature, datasets.ClassLabel) else ()
    rows, _ = as_rows(dataset, columns, where)
    if names:
        labels = [names[int(label)] if label not in ("", "-1") else "" for label in rows.labels]
        rows = Rows(texts=rows.texts, labels=labels, groups=rows.groups)
    return rows, names


def as_rows(dataset: Dataset, columns: Columns, where: str) -> tuple[Rows, list[str]]:
    """Return the columns as lists of strings, and the split column.

    Raises:
        BadInput: if a column does not contain texts.
    """
    texts = strings(dataset, columns.text, where)
    labels = strings(dataset, columns.label, where)
    groups = strings(dataset, columns.group, where) if columns.group is not None else None
    splits = strings(dataset, columns.split, where) if columns.split is not None else []
    rows = Rows(texts=texts, labels=labels, groups=[group or None for group in groups] if groups is not None else None)
    return rows, splits


def strings(dataset: Dataset, column: str, where: str) -> list[str]:
    """Return one column as strings; a missing value becomes an empty string.

    Raises:
        BadInput: if the column does not contain texts.
    """
    import pyarrow as pa

    values = dataset.with_format("arrow")[:].column(column)
    try:
        return [value or "" for value in values.cast(pa.large_string()).to_pylist()]
    except pa.ArrowException as error:
        raise BadInput(f"Column {column!r} of {where} contains {values.type}, not texts. Choose another") from error
