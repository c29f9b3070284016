"""Notice quotes that do not enclose fields: they swallow the rows that follow. Pure."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

LINE_BREAK = re.compile(r"\r\n|\r|\n")

FEW_VALUES = 50
"""A column with at most so many different values in the sample, each of them repeated, is one of categories."""

LONGEST_VALUE = 40
"""Longer values are texts, not categories."""


SHARE_OF_LINES = 0.9
"""Without a column of categories, at least this share of the lines of a field must look like rows."""


class QuotingProblem(Exception):
    """The fields of a row cannot be told apart as they were read; the message is a sentence for the user."""

    def __init__(self, sentence: str, *, malformed: bool = False) -> None:
        super().__init__(sentence)
        self.malformed = malformed
        """Whether only quotes are wrong, which a loose reader may accept."""


@dataclass(kw_only=True)
class RowShape:
    """What a line has to look like to be a row by itself."""

    separator: str
    width: int
    """Number of columns."""
    categories: dict[int, frozenset[str]] = field(default_factory=dict)
    """Values of the columns of categories, by their positions."""
    is_common: bool = True
    """Whether most rows of the sample have this width."""

    def swallowed(self, fields: Sequence[str]) -> int:
        """Return how many rows a row of several lines has swallowed: its lines that look like rows, less itself."""
        if self.width < 2:
            return 0
        lines = [line for line in LINE_BREAK.split(self.separator.join(fields)) if line.strip()]
        looks = sum(self.fits(line, fields) for line in lines)
        enough = 2 if self.categories else max(3, SHARE_OF_LINES * len(lines))
        return looks - 1 if looks >= enough else 0

    def fits(self, line: str, fields: Sequence[str]) -> bool:
        """Return whether a line of the row `fields` has the width and the categories of a row.

        A blank follows a separator in sentences, not in rows.
        """
        values = line.split(self.separator)
        if len(values) != self.width or any(value[:1].isspace() for value in values[1:]):
            return False
        own = [LINE_BREAK.split(value)[-1] for value in fields]
        return all(
            values[place].strip('"') in known or values[place] == own[place] for place, known in self.categories.items()
        )


def row_shape(lines: Sequence[str], separator: str, width: int) -> RowShape:
    """Return the shape of a row, learned from the rows of a sample, as they are with and without quotes."""
    parsed = list(csv.reader(lines, delimiter=separator))
    parsed += [next(csv.reader([line], delimiter=separator), []) for line in lines]
    rows = [[value.strip() for value in row] for row in parsed if len(row) == width]
    categories = {}
    for place in range(width):
        counts = Counter(row[place] for row in rows)
        if 0 < len(counts) <= FEW_VALUES and len(counts) * 4 <= len(rows) and max(map(len, counts)) <= LONGEST_VALUE:
            categories[place] = frozenset(counts)
    is_common = len(rows) * 2 >= sum(map(bool, parsed))
    return RowShape(separator=separator, width=width, categories=categories, is_common=is_common)


def is_without_quoting(lines: Iterable[str], separator: str, width: int) -> bool:
    """Return whether every line is a row by itself, and no field both begins and ends with a quote."""
    rows = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    return all(
        len(row) == width and not any(len(value) > 1 and value[0] == value[-1] == '"' for value in row)
        for row in rows
        if row
    )


class LooseReader:
    """Reader of rows with quotes in quoted fields that are not doubled; each such row must be one line."""

    def __init__(self, lines: Iterable[str], separator: str, name: str) -> None:
        self.separator, self.name = separator, name
        self.line_num = 0
        """Number of lines that were read."""
        self.loose_rows = 0
        """Number of rows with such quotes."""
        self.raw: list[str] = []
        self.reader = csv.reader(self.kept(lines), delimiter=separator)

    def kept(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield the lines, and keep those of the row that is being read."""
        for line in lines:
            self.raw.append(line)
            yield line

    def __iter__(self) -> Iterator[list[str]]:
        """Return itself."""
        return self

    def __next__(self) -> list[str]:
        """Return the fields of the next row.

        Raises:
            QuotingProblem: if its quotes are wrong and it has several lines, or a quote is not closed.
        """
        fields = next(self.reader)
        error = quote_error(self.raw, self.separator)
        if error and ("unexpected end" in error or len(self.raw) > 1):
            raise QuotingProblem(
                f"{self.name} has a quote in the row at line {self.line_num + 1} that nothing closes. Close every quote"
            )
        self.loose_rows += bool(error)
        self.line_num += len(self.raw)
        self.raw.clear()
        return fields


def quote_error(lines: Sequence[str], separator: str) -> str:
    """Return what a strict reader says about the quotes of one row; empty if they are right."""
    if not any('"' in line for line in lines):
        return ""
    try:
        list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        return str(error)
    return ""
