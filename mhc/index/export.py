"""Records as one table: CSV or Parquet with one column per field, or JSON Lines with the records as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from mhc.errors import BadInput
from mhc.record import flatten
from mhc.runs import atomic

Record = Mapping[str, object]
Cell = str | int | float | bool | None

JSON_FIELDS = ("history", "imported", "gates")
"""Fields that become one cell of JSON: their structure differs from run to run."""
FIRST_COLUMNS = (
    "id", "name", "status", "category", "created_at", "metrics.val.accuracy", "metrics.val.f1_macro",
    "metrics.test.accuracy", "metrics.test.f1_macro",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet executes a text that begins with one of these."""


def cells_of(record: Record) -> dict[str, Cell]:
    """Return the record's fields by dotted names; lists of texts are joined by a comma, other lists become JSON."""
    return {name: _cell(value) for name, value in flatten(record, whole=JSON_FIELDS).items()}


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return msgspec.json.encode(value).decode()


def columns_of(rows: Iterable[Mapping[str, Cell]]) -> list[str]:
    """Return every column of any row: the most important first, then in the order of the records."""
    names = dict.fromkeys(name for row in rows for name in row)
    groups = {name[:end] for name in names for end in range(len(name)) if name[end] == "."}
    columns = dict.fromkeys(name for name in names if name not in groups)  # `sweep` of a run without one
    first = [name for name in FIRST_COLUMNS if name in columns]
    return [*first, *(name for name in columns if name not in FIRST_COLUMNS)]


def as_csv(records: Sequence[Record]) -> bytes:
    """Return CSV in UTF-8 with a header, without control characters and texts that a spreadsheet would execute."""
    rows = [cells_of(record) for record in records]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns_of(rows), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return out.getvalue().encode()


def _safe(value: Cell) -> Cell:
    if not isinstance(value, str):
        return value
    text = "".join(letter if letter.isprintable() else " " for letter in value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def as_jsonl(records: Sequence[Record]) -> bytes:
    """Return one record per line, as `--json` prints them."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def write_parquet(records: Sequence[Record], path: Path) -> None:
    """Write a Parquet file with typed columns; a column whose values differ in type becomes a column of texts.

    Raises:
        BadInput: if pyarrow is missing or the file cannot be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise BadInput("Parquet needs pyarrow. Install it with: pip install pyarrow, or choose --format csv") from None
    rows = [cells_of(record) for record in records]
    columns = {}
    for name in columns_of(rows):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            columns[name] = pa.array([None if value is None else str(value) for value in values])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    write(path, sink.getvalue().to_pybytes())


def write(path: Path, content: bytes) -> None:
    """Write the whole file or nothing.

    Raises:
        BadInput: if it cannot be written.
    """
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {path.parent} to write {path.name} into; create it first")
    atomic.write(path, content)
