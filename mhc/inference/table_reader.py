"""Rows in: one after the other, every value as it stands in the file, so that any size of file passes through."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mhc.errors import BadConfig, BadInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, object]

STDIO = "-"
"""Stands for stdin as an input and for stdout as an output."""

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Format of a file by its suffix."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """An open table; at least one row."""

    name: str
    """For sentences."""
    format: str
    columns: list[str]
    """Of JSON Lines: the keys of the first row."""
    rows: Iterator[Row]
    share_read: Callable[[], float | None]
    """0 to 1; None where the size is not known."""
    schema: pa.Schema | None = None
    """Of Parquet."""


def format_of(said: str | None, path: str, default: str | None = None) -> str:
    """Return csv, tsv, jsonl or parquet: as said, by the suffix, or the default.

    Raises:
        BadConfig: none of these helps.
    """
    if said is not None and said not in FORMATS.values():
        raise BadConfig(f"format={said[:40]} is none of {', '.join(dict.fromkeys(FORMATS.values()))}")
    found = said or FORMATS.get(Path(path).suffix.lower()) or default
    if found is None:
        raise BadConfig(f"{path} does not say its format by a suffix ({', '.join(FORMATS)}). Say format=csv or another")
    return found


@contextmanager
def opened(path: str, format: str, encoding: str = "utf-8") -> Iterator[Table]:
    """Open a table for reading, its first row checked.

    Raises:
        NotFound: there is no such file.
        BadInput: it cannot be read, is empty, or is not of the format.
        BadConfig: there is no such encoding.
    """
    file = _stream(path)
    try:
        yield _table(file, "stdin" if path == STDIO else path, format, encoding)
    finally:
        if path != STDIO:
            file.close()


def _stream(path: str) -> IO[bytes]:
    if path == STDIO:
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}. Give its path from the working directory {Path.cwd()}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
        raise BadInput(f"{path[:200]} cannot be read: {reason}. Choose another input=") from None


def _table(file: IO[bytes], name: str, format: str, encoding: str) -> Table:
    if format == "parquet":
        return _parquet(file, name)
    rows = _json_rows(file, name) if format == "jsonl" else _csv_rows(file, name, format, encoding)
    try:
        first = next(rows)
    except StopIteration:
        raise BadInput(f"{name} has no rows. Give at least one text") from None
    size = os.fstat(file.fileno()).st_size if file.seekable() else 0
    return Table(
        name=name,
        format=format,
        columns=list(first),
        rows=chain([first], rows),
        share_read=lambda: min(1.0, file.tell() / size) if size else None,
    )


def _csv_rows(file: IO[bytes], name: str, format: str, encoding: str) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(_lines(file, name, encoding), delimiter="\t" if format == "tsv" else ",", strict=True)
    header: list[str] = []
    try:
        for fields in reader:
            if not fields:
                continue
            if not header:
                header = _header(fields, name)
                continue
            if len(fields) != len(header):
                raise BadInput(
                    f"The row that ends at line {reader.line_num} of {name} has {len(fields)} fields, but there are "
                    f"{len(header)} columns. Put fields that hold a separator or a line break into double quotes"
                )
            yield dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise BadInput(
            f"{name} is no {format.upper()} at line {reader.line_num} ({error}). Put fields that hold a separator, a "
            "quote or a line break into double quotes"
        ) from None


def _header(fields: list[str], name: str) -> list[str]:
    twice = sorted({field for field in fields if fields.count(field) > 1})
    if twice:
        raise BadInput(f"{name} has several columns named {', '.join(twice)[:200]!r}. Rename all but one")
    return fields


def _lines(file: IO[bytes], name: str, encoding: str) -> Iterator[str]:
    """Decode line by line, so that what is wrong can be said with its line."""
    _check_encoding(encoding)
    for number, line in enumerate(file, start=1):
        if b"\0" in line:
            raise BadInput(
                f"{name} has a NUL byte in line {number}. Save it as UTF-8 text: UTF-16 files and binary files have "
                "such bytes"
            )
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{name} is not {encoding.upper()} at line {number}, byte {error.start + 1} of it. Save it as UTF-8 or "
                "say its encoding=, for example windows-1252"
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text


def _check_encoding(encoding: str) -> None:
    try:
        plain = "a,\n".encode(encoding) == b"a,\n"
    except (LookupError, UnicodeError):
        plain = False
    if not plain:
        raise BadConfig(f"encoding={encoding[:40]} is not one that lines can be read in; use utf-8 or windows-1252")


def _json_rows(file: IO[bytes], name: str) -> Iterator[Row]:
    import msgspec

    decoder = msgspec.json.Decoder(dict[str, object])
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadInput(
                f"Line {number} of {name} is no JSON object ({type(error).__name__}). Write one object a line"
            ) from None


def _parquet(file: IO[bytes], name: str) -> Table:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    seekable = file if file.seekable() else io.BytesIO(file.read())
    try:
        parquet = pq.ParquetFile(seekable)
        total = parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{name} is no Parquet file that can be read ({type(error).__name__})") from None
    if not total:
        raise BadInput(f"{name} has no rows. Give at least one text")
    read = 0

    def rows() -> Iterator[Row]:
        nonlocal read
        try:
            for batch in parquet.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    read += 1
                    yield row
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{name} is damaged behind row {read} ({type(error).__name__})") from None

    return Table(
        name=name,
        format="parquet",
        columns=list(parquet.schema_arrow.names),
        rows=rows(),
        share_read=lambda: read / total,
        schema=parquet.schema_arrow,
    )


def texts_of(rows: list[Row], column: str, first: int, name: str) -> list[str]:
    """Return the texts of rows, of which the first is row number `first` of the table; a missing value is empty.

    Raises:
        BadInput: a value is no text.
    """
    texts = []
    for number, row in enumerate(rows, start=first):
        text = row.get(column, "")
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise BadInput(
                f"Row {number} of {name} has {type(text).__name__} instead of a text in column {column!r}. "
                "Choose the column with text_column="
            )
        texts.append(text)
    return texts


def check_column(table: Table, column: str) -> None:
    """Refuse a table without the column of texts.

    Raises:
        BadInput: names the columns that there are.
    """
    if column not in table.columns:
        there = ", ".join(name[:60] for name in table.columns[:40])
        raise BadInput(f"{table.name} has no column {column!r}. It has: {there}. Choose with text_column=")
