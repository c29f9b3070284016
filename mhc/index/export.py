"""All records as one table: CSV or Parquet with one column a field, or JSON Lines with the records as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from mhc.errors import BadInput
from mhc.runs import atomic

Record = Mapping[str, object]
Cell = str | int | float | bool | None

WHOLE = ("history", "imported", "gates")
"""Groups that stay one cell of JSON: their shape differs from run to run."""
FIRST = ("id", "name", "status", "category", "created_at", "metrics.test.accuracy", "metrics.test.f1_macro")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would be carried out by a spreadsheet."""


def flat(record: Record, prefix: str = "") -> dict[str, Cell]:
    """The record's fields by their dotted names; lists of words joined by a comma, other lists as JSON."""
    cells: dict[str, Cell] = {}
    for name, value in record.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and name not in WHOLE:
            cells |= flat(value, f"{key}.")
        else:
            cells[key] = _cell(value)
    return cells


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return msgspec.json.encode(value).decode()


def columns_of(rows: Iterable[Mapping[str, Cell]]) -> list[str]:
    """Every column of any row: the ones looked at most first, then in the order of the records."""
    found = dict.fromkeys(name for row in rows for name in row)
    groups = {name[:at] for name in found for at in range(len(name)) if name[at] == "."}
    found = dict.fromkeys(name for name in found if name not in groups)  # `sweep` of a run without one
    return [*(name for name in FIRST if name in found), *(name for name in found if name not in FIRST)]


def as_csv(records: Sequence[Record]) -> bytes:
    """UTF-8 with a header. No control characters, and no text that a spreadsheet would take for a formula."""
    rows = [flat(record) for record in records]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns_of(rows), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _tame(value) for name, value in row.items()} for row in rows)
    return out.getvalue().encode()


def _tame(value: Cell) -> Cell:
    if not isinstance(value, str):
        return value
    text = "".join(letter if letter.isprintable() else " " for letter in value)
    return f"'{text}" if text.startswith(FORMULA) else text


def as_jsonl(records: Sequence[Record]) -> bytes:
    """One record a line, as `--json` gives them."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def write_parquet(records: Sequence[Record], path: Path) -> None:
    """Typed columns; a column whose values do not agree on a type holds texts.

    Raises:
        BadInput: pyarrow is missing, or the file cannot be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise BadInput("Parquet needs pyarrow. Install it with: pip install pyarrow, or choose --format csv") from None
    rows = [flat(record) for record in records]
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
    """Put the file there whole or not at all.

    Raises:
        BadInput: it cannot be written.
    """
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {path.parent} to write {path.name} into.")
    atomic.write(path, content)
