"""Read CSV, TSV and other separated values: separator and quoting are found, every row is checked, values are texts."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, TextIO

from mhc.data.tables.columns import clean_name, may_be_text
from mhc.data.tables.encoding import Encoding, encoding_of, text_of
from mhc.data.tables.options import SEPARATORS, Reading
from mhc.data.tables.quoting import (
    LINE_BREAK,
    LooseReader,
    QuotingProblem,
    RowShape,
    is_without_quoting,
    row_shape,
)
from mhc.data.tables.separator import default, separator_of
from mhc.data.tables.source import Source
from mhc.errors import BadInput

SAMPLE_CHARACTERS, SAMPLE_LINES = 1 << 17, 1000
"""Size of the beginning of a file from which its separator is found."""

BATCH = 128
"""Rows that are checked at once; with more of them, the garbage collector takes longer than the reading."""

csv.field_size_limit(sys.maxsize)


class RowReader(Protocol):
    """Reader of rows, such as that of the library `csv`."""

    @property
    def line_num(self) -> int:
        """Number of lines that were read."""

    def __iter__(self) -> Iterator[list[str]]:
        """Return itself."""

    def __next__(self) -> list[str]:
        """Return the fields of the next row."""


@dataclass(kw_only=True)
class Counts:
    """Counts of one pass over a file."""

    rows: int = 0
    swallowed: int = 0
    """Rows within quoted fields that `quoting=double` accepts."""
    loose_quotes: int = 0
    """Rows in which a quoted field has a quote that is not doubled."""


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """A file of separated values."""

    source: Source
    reading: Reading
    encoding: Encoding
    separator: str
    columns: list[str]
    """Names by position; empty for a column without a name."""
    shape: RowShape
    quoting: str
    """strict: fields are enclosed in double quotes, and quotes in them are doubled; loose: some are not; or none."""

    @property
    def named(self) -> int:
        """Number of columns up to the last one with a name: those that every row must have."""
        return max(place for place, name in enumerate(self.columns) if name) + 1

    def batches(self, counts: Counts) -> Iterator[list[list[str]]]:
        """Yield the fields of the rows, many rows at once; every row has a field for each column with a name.

        Raises:
            QuotingProblem: if a row has other columns than the first line, or quotes do not enclose fields.
        """
        width, nameless = len(self.columns), self.named < len(self.columns)
        with text_of(self.source, self.encoding) as file:
            reader = self.reader(file)
            try:
                if not self.reading.header:
                    next(fields for fields in reader if fields)
                line = reader.line_num
                while batch := list(islice(reader, BATCH)):
                    plain = reader.line_num - line == len(batch) and set(map(len, batch)) == {width}
                    rows = batch if plain and not nameless else self.checked(batch, line, counts)
                    line = reader.line_num
                    counts.rows += len(rows)
                    yield rows
            except csv.Error:
                raise QuotingProblem("", malformed=True) from None
            counts.loose_quotes = getattr(reader, "loose_rows", 0)

    def reader(self, file: TextIO) -> RowReader:
        """Return a reader of the rows, blank lines included."""
        if self.quoting == "loose":
            return LooseReader(file, self.separator, self.source.name)
        return strict_reader(file, self.separator, enclosed=self.quoting != "none")

    def checked(self, batch: list[list[str]], line: int, counts: Counts) -> list[list[str]]:
        """Return the rows that are not blank; `line` is the number of the line before them."""
        rows = []
        for fields in batch:
            breaks = sum(len(LINE_BREAK.findall(value)) for value in fields)
            if fields:
                self.check_width(fields, line + 1)
                rows.append(fields)
            if breaks:
                self.check_span(fields, line + 1, breaks, counts)
            line += 1 + breaks
        return rows

    def check_width(self, fields: Sequence[str], line: int) -> None:
        """Check that a row has a field for each column with a name, and nothing but blanks after them.

        Raises:
            QuotingProblem: if it does not.
        """
        named, width = self.named, len(self.columns)
        surplus = any(map(str.strip, fields[named:]))
        if len(fields) == width and surplus:
            raise QuotingProblem(
                f"The row at line {line} of {self.source.name} has a value in column {named + 1}, which has no name. "
                "Put fields that hold a separator into double quotes, or give every column a name"
            )
        if len(fields) < named or surplus:
            raise QuotingProblem(
                f"The row at line {line} of {self.source.name} has {len(fields)} fields, but there are {width} "
                f"columns{self.between()}. Put fields that hold a separator, a quote or a line break into double quotes"
            )

    def between(self) -> str:
        """Return the separator as a part of a sentence, if it is not the usual one."""
        usual = self.separator == default(self.source.suffix)
        return "" if usual else f" (separated by {SEPARATORS.get(self.separator, self.separator)})"

    def check_span(self, fields: Sequence[str], line: int, breaks: int, counts: Counts) -> None:
        """Count the rows that a row of several lines has swallowed.

        Raises:
            QuotingProblem: if there are any, unless `quoting=double` accepts them.
        """
        swallowed = self.shape.swallowed(fields)
        counts.swallowed += swallowed
        if swallowed and self.reading.quoting is None:
            key = self.reading.key("quoting")
            raise QuotingProblem(
                f"{self.source.name} has a quoted field from line {line} to line {line + breaks} that spans what look "
                f"like {swallowed + 1:,} rows. Remove the stray quotes there, or set {key}none if quotes enclose no "
                f"fields in this file, or {key}double if the field is right"
            )

    def instead(self, problem: QuotingProblem) -> CsvTable:
        """Return the table with the quoting that is to be tried after a problem.

        Raises:
            BadInput: if there is none.
        """
        if problem.malformed and self.quoting == "strict":
            return replace(self, quoting="loose")
        if self.reading.quoting is None and self.quoting != "none":
            with text_of(self.source, self.encoding) as file:
                if is_without_quoting(file, self.separator, len(self.columns)):
                    return replace(self, quoting="none")
        raise BadInput(str(problem))

    def settled(self) -> tuple[CsvTable, Counts]:
        """Read the whole file, and return the table with the quoting that fits, and the counts.

        Raises:
            BadInput: if no quoting fits.
        """
        table = self
        while True:
            try:
                counts = Counts()
                for _ in table.batches(counts):
                    pass
            except QuotingProblem as problem:
                table = table.instead(problem)
            else:
                return table, counts

    def cells(self, places: Sequence[int]) -> tuple[list[list[str]], CsvTable, Counts]:
        """Return the columns at these positions, the table with the quoting that fits, and the counts.

        Raises:
            BadInput: if no quoting fits.
        """
        table = self
        while True:
            counts = Counts()
            values: list[list[str]] = [[] for _ in places]
            try:
                for rows in table.batches(counts):
                    for place, column in zip(places, values, strict=True):
                        column.extend([fields[place] for fields in rows])
            except QuotingProblem as problem:
                table = table.instead(problem)
            else:
                return values, table, counts

    def seems_without_header(self) -> bool:
        """Return whether the first line looks like a row: it has a long text, a number, or a value of a category."""
        return not self.reading.header and any(
            may_be_text(name) or name.replace(".", "", 1).isdecimal() or name in self.shape.categories.get(place, ())
            for place, name in enumerate(self.columns)
            if name
        )


def open_csv(source: Source, reading: Reading, names: Sequence[str]) -> CsvTable:
    """Open a file of separated values; `names` are the columns that will be asked for.

    Raises:
        BadInput: if the file does not fit its encoding, or has no line of names.
    """
    encoding = encoding_of(source, reading)
    with text_of(source, encoding) as file:
        lines = sample(file)
    separator = reading.character or separator_of(lines, source.suffix, reading.header or names)
    quoting = "none" if reading.quoting == "none" else "strict"
    header = next((row for row in first_rows(lines, separator, enclosed=quoting != "none") if row), [])
    columns = list(map(clean_name, reading.header or header))
    if not any(columns):
        raise BadInput(f"{source.name} has no column names in its first line. Write them there, such as text,label")
    return CsvTable(
        source=source,
        reading=reading,
        encoding=encoding,
        separator=separator,
        columns=columns,
        shape=row_shape(lines if reading.header else lines[1:], separator, len(columns)),
        quoting=quoting,
    )


def strict_reader(lines: Iterable[str], separator: str, *, enclosed: bool) -> RowReader:
    """Return a reader that refuses wrong quotes; `enclosed`: double quotes enclose fields."""
    if enclosed:
        return csv.reader(lines, delimiter=separator, strict=True)
    return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE, strict=True)


def first_rows(lines: Sequence[str], separator: str, *, enclosed: bool) -> Iterator[list[str]]:
    """Yield the rows of a sample, whatever its quotes are."""
    if enclosed:
        return csv.reader(lines, delimiter=separator)
    return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)


def sample(file: Iterator[str]) -> list[str]:
    """Return the first lines of a file."""
    lines: list[str] = []
    characters = 0
    for line in islice(file, SAMPLE_LINES):
        lines.append(line)
        characters += len(line)
        if characters > SAMPLE_CHARACTERS:
            break
    return lines
