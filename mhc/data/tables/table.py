"""Open a table of any format: columns by name as texts for training, whole rows with their values for labelling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mhc.data.tables import columns
from mhc.data.tables.csv_table import Counts, CsvTable, open_csv
from mhc.data.tables.encoding import Encoding
from mhc.data.tables.excel_table import ExcelTable, open_excel
from mhc.data.tables.json_table import JsonTable, open_json
from mhc.data.tables.options import SEPARATORS, Reading
from mhc.data.tables.parquet_table import cells_of_parquet, open_parquet
from mhc.data.tables.separator import default
from mhc.data.tables.source import Source
from mhc.errors import BadInput

TRAINING_KEYS = "data.text=, data.label=, data.group=, data.split= or data.separator="
"""Keys that choose columns, for messages of a training."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Columns of a table as texts."""

    values: list[list[str]]
    """One list per name; a missing value is an empty text."""
    notes: list[str]
    """What was found in the file and is not as usual, in sentences without a full stop; never a text."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A table whose columns are known; `table` is None for Parquet."""

    source: Source
    reading: Reading
    columns: list[str]
    """Names by position; empty for a column without a name."""
    table: CsvTable | JsonTable | ExcelTable | None

    def places(self, names: Sequence[str], keys: str = TRAINING_KEYS) -> list[int]:
        """Return the positions of the columns `names`; `keys` are the keys of the user that choose them.

        Raises:
            BadInput: if a column is missing.
        """
        if any(columns.position(self.columns, name) is None for name in names):
            self.refuse_missing_header()
        return columns.required(self.columns, names, self.source.name, keys)

    def cells(self, names: Sequence[str], keys: str = TRAINING_KEYS) -> Cells:
        """Return the columns `names` as texts; `keys` are the keys of the user that choose them.

        Raises:
            BadInput: if a column is missing, or a row cannot be read.
        """
        places = self.places(names, keys)
        found = [self.columns[place] for place in places]
        if isinstance(self.table, CsvTable):
            values, table, counts = self.table.cells(places)
            notes = notes_of_csv(table, counts)
        elif isinstance(self.table, JsonTable):
            values, notes = self.table.cells(found), notes_of_encoding(self.table.encoding)
        elif isinstance(self.table, ExcelTable):
            values, notes = self.table.cells(places), notes_of_excel(self.table)
        else:
            values, notes = cells_of_parquet(self.source, places), []
        return Cells(values=values, notes=[*notes, *renamed(names, found)])

    def settled(self) -> tuple[Opened, list[str]]:
        """Return the table with the quoting that fits all of its rows, and the notes on it.

        Raises:
            BadInput: if a row of separated values cannot be read.
        """
        if isinstance(self.table, CsvTable):
            table, counts = self.table.settled()
            return replace(self, table=table), notes_of_csv(table, counts)
        if isinstance(self.table, JsonTable):
            return self, notes_of_encoding(self.table.encoding)
        return self, notes_of_excel(self.table) if isinstance(self.table, ExcelTable) else []

    def refuse_missing_header(self) -> None:
        """Refuse a file of separated values whose first line looks like a row.

        Raises:
            BadInput: if it does; the message has the key that names the columns.
        """
        if isinstance(self.table, CsvTable) and self.table.seems_without_header():
            count = len(self.columns)
            separator = SEPARATORS.get(self.table.separator, repr(self.table.separator))
            example = ",".join(["text", "label", *(f"column{place}" for place in range(3, count + 1))][:count])
            raise BadInput(
                f"{self.source.name} seems to have no line of column names: its first line looks like a row of {count} "
                f"fields, separated by {separator}. Add one, or name the columns in their order, such as "
                f"{self.reading.key('header')}[{example}]"
            )


def open_table(source: Source, reading: Reading, names: Sequence[str] = ()) -> Opened:
    """Open a table; the columns `names`, which will be asked for, help to find its separator.

    Raises:
        BadInput: if the file is damaged, does not fit its encoding, or has no column names.
    """
    if source.kind == "parquet":
        with open_parquet(source) as parquet:
            return Opened(source=source, reading=reading, columns=list(parquet.schema_arrow.names), table=None)
    table: CsvTable | JsonTable | ExcelTable
    if source.kind == "csv":
        table = open_csv(source, reading, names)
    else:
        table = open_excel(source, reading) if source.kind == "excel" else open_json(source, reading)
    return Opened(source=source, reading=reading, columns=table.columns, table=table)


def renamed(names: Sequence[str], actual: Sequence[str]) -> list[str]:
    """Return a note for each column whose name differs from the one that was asked for."""
    pairs = zip(names, actual, strict=True)
    return [f"the column {name!r} is {column!r}" for name, column in pairs if name != column]


def notes_of_csv(table: CsvTable, counts: Counts) -> list[str]:
    """Return what is not as usual in a file of separated values."""
    notes = notes_of_encoding(table.encoding)
    if table.separator != default(table.source.suffix) and not table.reading.separator:
        notes.append(f"the separator is {SEPARATORS.get(table.separator, repr(table.separator))}")
    if table.quoting == "none" and table.reading.quoting is None:
        notes.append(f"quotes enclose no fields ({table.reading.key('quoting')}none)")
    if counts.loose_quotes:
        notes.append(f"{rows(counts.loose_quotes)} a quote within a quoted field that is not doubled")
    if counts.swallowed:
        notes.append(f"{counts.swallowed:,} lines within quoted fields look like rows")
    if "" in table.columns:
        notes.append(f"{table.columns.count('')} column(s) without a name are left out")
    return notes


def rows(count: int) -> str:
    """Return a number of rows as the beginning of a sentence."""
    return "1 row has" if count == 1 else f"{count:,} rows have"


def notes_of_encoding(encoding: Encoding) -> list[str]:
    """Return what is not as usual in the encoding."""
    notes = []
    if encoding.name not in ("utf-8", "utf-8-sig"):
        notes.append(f"the encoding is {encoding.name}")
    if encoding.bad_lines:
        notes.append(f"{encoding.bad_lines:,} line(s) have bytes that do not fit {encoding.name}")
    return notes


def notes_of_excel(table: ExcelTable) -> list[str]:
    """Return which sheet is read, if there are several."""
    return [f"the sheet {table.sheet!r} is read, of {len(table.other_sheets) + 1}"] if table.other_sheets else []
