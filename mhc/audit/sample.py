"""The first rows of a table, all columns with a name, as texts: lists and objects, which are no texts, become empty."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from mhc.data.tables import cell
from mhc.data.tables.csv_table import Counts, CsvTable
from mhc.data.tables.excel_table import ExcelTable
from mhc.data.tables.json_table import JsonTable
from mhc.data.tables.parquet_table import open_parquet
from mhc.data.tables.table import Opened

ROWS = 5000


def first_columns(table: Opened) -> dict[str, list[str]]:
    """Return the first values of each column with a name; of columns of one name, those of the first."""
    columns: dict[str, list[str]] = {name: [] for name in table.columns if name}
    places = {name: table.columns.index(name) for name in columns}
    for row in islice(rows_of(table), ROWS):
        for name, column in columns.items():
            column.append(row[places[name]])
    return columns


def rows_of(table: Opened) -> Iterator[list[str]]:
    """Yield the rows, one value per column."""
    opened = table.table
    if isinstance(opened, CsvTable):
        yield from chain.from_iterable(opened.batches(Counts()))
    elif isinstance(opened, JsonTable):
        for number, content in opened.contents():
            row = opened.object_of(number, content, frozenset())
            yield [plain(row.get(name)) for name in table.columns]
    elif isinstance(opened, ExcelTable):
        for values in opened.rows():
            yield list(map(plain, values))
    else:
        with open_parquet(table.source) as parquet:
            for batch in parquet.iter_batches(ROWS):
                yield from map(list, zip(*(map(plain, column.to_pylist()) for column in batch.columns), strict=True))


def plain(value: object) -> str:
    """Return a value as text; empty for a list, an object or a missing value."""
    return cell.text_of(value) or ""
