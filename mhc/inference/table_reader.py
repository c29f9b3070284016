"""Open a table for labelling: the rows of `mhc.data.tables` one by one, with every value unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path

from mhc.data.readers import joined
from mhc.data.tables import cell, columns, source
from mhc.data.tables import table as tables
from mhc.data.tables.csv_table import Counts, CsvTable
from mhc.data.tables.json_table import JsonTable
from mhc.data.tables.options import Reading
from mhc.data.tables.source import Source
from mhc.data.tables.table import Opened
from mhc.errors import BadConfig, BadInput
from mhc.inference import json_reader, parquet_reader
from mhc.inference.table import Position, Row, Rows, Table

STDIO = "-"
"""Path of stdin as an input and of stdout as an output."""

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Formats of an output, by the suffix of the file."""

INPUT_FORMATS = {**FORMATS, ".txt": "csv", ".json": "jsonl", ".xlsx": "csv"}
"""Formats that an output without a suffix has, by the suffix of the input."""

KEYS = "text_column="
"""The key that chooses columns, for messages."""


def format_of(format: str | None, path: str, default: str | None = None) -> str:
    """Return csv, tsv, jsonl or parquet for an output: as given, by the suffix of `path`, or the default.

    Raises:
        BadConfig: if the format is unknown or cannot be determined.
    """
    if format is not None and format not in FORMATS.values():
        raise BadConfig(f"format={format[:40]} is not one of {', '.join(dict.fromkeys(FORMATS.values()))}")
    result = format or FORMATS.get(Path(path).suffix.lower()) or default
    if result is None:
        raise BadConfig(f"{path} has none of the suffixes {', '.join(FORMATS)}. Rename it")
    return result


def format_of_input(path: str) -> str:
    """Return the format that the output of an input file has by default.

    Raises:
        BadConfig: if the suffix is that of no table.
    """
    suffix, _ = source.suffixes(Path(path))
    if suffix not in INPUT_FORMATS:
        raise BadConfig(f"{path} has none of the suffixes {', '.join(INPUT_FORMATS)}. Rename it")
    return INPUT_FORMATS[suffix]


@contextmanager
def open_table(path: str, format: str, reading: Reading, text: Sequence[str], *, output: str) -> Iterator[Table]:
    """Open a table for reading, and check its first row.

    Args:
        path: the file, or - for stdin.
        format: format of stdin.
        reading: how the file is read.
        text: names of the columns of the texts.
        output: format that the rows are written in.

    Raises:
        NotFound: if the file does not exist.
        BadInput: if the file cannot be read, is empty, or lacks a column of texts.
    """
    stdin = next(suffix for suffix, name in FORMATS.items() if name == format)
    with source.of_stdin(stdin) if path == STDIO else nullcontext(source.of_path(Path(path))) as file:
        position = Position(file)
        yield table_of(replace(file, opened=position.open), reading, text, output, position)


def table_of(file: Source, reading: Reading, text: Sequence[str], output: str, position: Position) -> Table:
    """Return the table of a file.

    Raises:
        BadInput: if the file has no rows, or lacks a column of texts.
    """
    opened = tables.open_table(file, reading, text)
    places = opened.places(text, KEYS)
    opened, notes = opened.settled()
    names = columns.distinct(opened.columns)
    pairs = zip(opened.columns, names, strict=True)
    rows = rows_of(opened, names, output)
    first = next(rows.values, None)
    if first is None:
        raise BadInput(f"{file.name} has no rows. Give at least one text")
    return Table(
        name=file.name,
        columns=rows.columns or list(first),
        text=[names[place] for place in places],
        rows=chain([first], rows.values),
        share_read=position.share,
        schema=rows.schema,
        notes=[
            *notes,
            *tables.renamed(text, [opened.columns[place] for place in places]),
            *(f"a second column {old!r} is {new!r}" for old, new in pairs if old != new),
        ],
    )


def rows_of(opened: Opened, names: list[str], output: str) -> Rows:
    """Return the rows of a table, for an output of this format; `names` are its columns by position, all different.

    Raises:
        BadInput: if the columns of JSON do not fit the output.
    """
    table = opened.table
    if table is None:
        return parquet_reader.rows(opened.source, names, to_parquet=output == "parquet")
    if isinstance(table, JsonTable):
        return json_reader.rows(table, output)
    places = [place for place, name in enumerate(names) if name]
    kept = [names[place] for place in places]
    values: Iterator[Sequence[object]]
    if isinstance(table, CsvTable):
        values = chain.from_iterable(table.batches(Counts()))
    else:
        values = ([cell.text_of(value) for value in row] for row in table.rows())
    whole = len(kept) == len(names)  # a row may have further fields, which are empty
    rows = (dict(zip(kept, row if whole else [row[place] for place in places], strict=False)) for row in values)
    return Rows(columns=kept, values=rows)


def texts_of(rows: list[Row], names: Sequence[str], first: int, where: str) -> list[str]:
    """Return the texts of rows, of which the first is row number `first` of the table; a missing value is empty.

    Raises:
        BadInput: if a value is a list or an object.
    """
    parts = [[text_of(row, name, number, where) for number, row in enumerate(rows, first)] for name in names]
    return joined(parts)


def text_of(row: Row, name: str, number: int, where: str) -> str:
    """Return the text in one column.

    Raises:
        BadInput: if it is a list or an object.
    """
    text = cell.text_of(row.get(name))
    if text is None:
        raise BadInput(
            f"Row {number} of {where} has no plain value in {name!r}. Use a string or a number, or choose the column "
            f"with {KEYS}"
        )
    return text
