"""Read the first sheet of an Excel file (.xlsx) that has rows; needs the extra `excel`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from mhc.data.tables import cell
from mhc.data.tables.columns import clean_name
from mhc.data.tables.options import Reading
from mhc.data.tables.source import Source
from mhc.errors import BadInput

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook


@dataclass(frozen=True, kw_only=True)
class ExcelTable:
    """A sheet of an Excel file."""

    source: Source
    sheet: str
    """Name of the sheet."""
    other_sheets: list[str]
    """Names of the sheets that are not read."""
    columns: list[str]
    """Names by position; empty for a column without a name."""
    has_header: bool

    def rows(self) -> Iterator[list[object]]:
        """Yield the values of each row that is not empty, one per column."""
        width = len(self.columns)
        with workbook(self.source) as book:
            rows = (
                row for row in book[self.sheet].iter_rows(values_only=True) if any(value is not None for value in row)
            )
            for row in islice(rows, int(self.has_header), None):
                yield [*row[:width], *[None] * (width - len(row))]

    def cells(self, places: Sequence[int]) -> list[list[str]]:
        """Return the columns at these positions as texts."""
        values: list[list[str]] = [[] for _ in places]
        for row in self.rows():
            for place, column in zip(places, values, strict=True):
                column.append(cell.text_of(row[place]) or "")
        return values


def open_excel(source: Source, reading: Reading) -> ExcelTable:
    """Open an Excel file.

    Raises:
        BadInput: if it is damaged, has no rows, or the extra is not installed.
    """
    with workbook(source) as book:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            first = next((row for row in rows if any(value is not None for value in row)), None)
            if first is not None:
                names = list(map(clean_name, reading.header or first))
                others = [other.title for other in book.worksheets if other is not sheet]
                return ExcelTable(
                    source=source,
                    sheet=sheet.title,
                    other_sheets=others,
                    columns=names,
                    has_header=not reading.header,
                )
    raise BadInput(f"{source.name} has no rows. A sheet of texts has a line of column names and one row per text")


@contextmanager
def workbook(source: Source) -> Iterator[Workbook]:
    """Open a workbook; formulas have the values that Excel saved.

    Raises:
        BadInput: if it is damaged, or the extra is not installed.
    """
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise BadInput(
            f"{source.name} needs the package openpyxl. Install it with: pip install 'mhc[excel]', or save the sheet "
            "as CSV"
        ) from None
    with source.bytes() as file:
        try:
            with warnings.catch_warnings(action="ignore"):  # of styles and extensions that are not read
                book: Any = load_workbook(file, read_only=True, data_only=True)
        except (BadZipFile, InvalidFileException, KeyError, OSError, ValueError) as error:
            raise BadInput(
                f"{source.name} is not a readable Excel file ({type(error).__name__}). Save it again"
            ) from None
        try:
            yield book
        finally:
            book.close()
