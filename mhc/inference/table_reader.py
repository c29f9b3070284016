"""Read tables row by row, with every value unchanged, so that a file of any size can be labelled."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO

from mhc.errors import BadConfig, BadInput, NotFound
from mhc.inference import json_reader, parquet_reader
from mhc.inference.table import Row, Table, refuse_duplicates, share_of

STDIO = "-"
"""Path of stdin as an input and of stdout as an output."""

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Formats by the suffix of the file."""


def format_of(format: str | None, path: str, default: str | None = None) -> str:
    """Return csv, tsv, jsonl or parquet: as given, by the suffix of `path`, or the default.

    Raises:
        BadConfig: if the format is unknown or cannot be determined.
    """
    if format is not None and format not in FORMATS.values():
        raise BadConfig(f"format={format[:40]} is not one of {', '.join(dict.fromkeys(FORMATS.values()))}")
    result = format or FORMATS.get(Path(path).suffix.lower()) or default
    if result is None:
        raise BadConfig(f"{path} has none of the suffixes {', '.join(FORMATS)}. Rename it")
    return result


@contextmanager
def open_table(path: str, format: str, encoding: str = "utf-8", *, output: str = "jsonl") -> Iterator[Table]:
    """Open a table for reading, and check its first row; `output` is the format that its rows are written in.

    Raises:
        NotFound: if the file does not exist.
        BadInput: if the file cannot be read, is empty, is not of the format, or has two columns of one name.
        BadConfig: if the encoding is unknown.
    """
    file = _stream(path)
    try:
        yield _table(file, "stdin" if path == STDIO else path, format, encoding, output)
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
        reason = getattr(error, "strerror", None) or "not a valid file name"
        raise BadInput(f"{path[:200]} cannot be read: {reason}. Choose another input=") from None


def _table(file: IO[bytes], name: str, format: str, encoding: str, output: str) -> Table:
    if format == "parquet":
        return parquet_reader.read(file, name, to_parquet=output == "parquet")
    if format == "jsonl":
        return json_reader.read(file, name, output)
    rows = _csv_rows(file, name, format, encoding)
    first = next(rows, None)
    if first is None:
        raise BadInput(f"{name} has no rows. Give at least one text")
    return Table(name=name, format=format, columns=list(first), rows=chain([first], rows), share_read=share_of(file))


def _csv_rows(file: IO[bytes], name: str, format: str, encoding: str) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(_lines(file, name, encoding), delimiter="\t" if format == "tsv" else ",", strict=True)
    header: list[str] = []
    try:
        for fields in reader:
            if not fields:
                continue
            if not header:
                refuse_duplicates(fields, name)
                header = fields
                continue
            if len(fields) != len(header):
                raise BadInput(
                    f"The row that ends at line {reader.line_num} of {name} has {len(fields)} fields, but there are "
                    f"{len(header)} columns. Put fields with a separator or a line break into double quotes"
                )
            yield dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise BadInput(
            f"{name} is not valid {format.upper()} at line {reader.line_num} ({error}). Put fields with a separator, "
            "a quote or a line break into double quotes"
        ) from None


def _lines(file: IO[bytes], name: str, encoding: str) -> Iterator[str]:
    """Yield decoded lines; a decoding error gives the number of the line."""
    _check_encoding(encoding)
    for number, line in enumerate(file, start=1):
        if b"\0" in line:
            raise BadInput(
                f"{name} has a NUL byte in line {number}. UTF-16 and binary files have such bytes. Save it as UTF-8"
            )
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{name} is not {encoding.upper()} at line {number}, byte {error.start + 1} of it. Save it as UTF-8 or "
                "give its encoding=, for example windows-1252"
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text


def _check_encoding(encoding: str) -> None:
    try:
        plain = "a,\n".encode(encoding) == b"a,\n"
    except (LookupError, UnicodeError):
        plain = False
    if not plain:
        raise BadConfig(f"encoding={encoding[:40]} cannot be used to read lines. Use utf-8 or windows-1252")


def texts_of(rows: list[Row], column: str, first: int, name: str) -> list[str]:
    """Return the texts of rows, of which the first is row number `first` of the table; a missing value is empty.

    Raises:
        BadInput: if a value is not a text.
    """
    texts = []
    for number, row in enumerate(rows, start=first):
        text = row.get(column, "")
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise BadInput(
                f"Row {number} of {name} has {type(text).__name__} instead of text in column {column!r}. "
                "Choose the column with text_column="
            )
        texts.append(text)
    return texts


def check_column(table: Table, column: str) -> None:
    """Check that the table has the column of texts.

    Raises:
        BadInput: if it does not; gives the columns of the table.
    """
    if column not in table.columns:
        names = ", ".join(name[:60] for name in table.columns[:40])
        raise BadInput(f"{table.name} has no column {column!r}. It has: {names}. Choose one with text_column=")
