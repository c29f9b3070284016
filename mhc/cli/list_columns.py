"""`mhc list --columns`: any recorded fields, one a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhc.cli.tables import Cell, Column, show, status_cell
from mhc.cli.units import NOTHING, amount, duration, when
from mhc.runs.fields import Found, Kind, resolve, split

if TYPE_CHECKING:
    from mhc.runs.rows import Row
    from mhc.runs.select import Selection

NUMERIC = (Kind.NUMBER, Kind.SECONDS)


def show_columns(selection: Selection, rows: list[Row], said: str) -> None:
    """Print the fields of `said`, separated by commas, of these rows.

    Raises:
        BadInput: where no such field is on record.
    """
    names = [name.strip() for name in said.split(",") if name.strip()]
    found = [resolve(split(name)) for name in names]
    columns = [
        Column(name, right=kind in NUMERIC, least=0 if kind in NUMERIC or name == "status" else 10, middle=name == "id")
        for name, (_, kind) in zip(names, found, strict=True)
    ]
    values = selection.values(rows, [path for path, _ in found])
    show(
        columns,
        [[_cell(path, kind, value) for (path, kind), value in zip(found, line, strict=True)] for line in values],
    )


def _cell(path: tuple[str, ...], kind: Kind, value: Found) -> str | Cell:
    if path == ("status",):
        return status_cell(str(value))
    if kind is Kind.SECONDS and isinstance(value, int | float):
        return duration(value)
    return text_of(value, kind)


def text_of(value: Found, kind: Kind = Kind.ANY) -> str:
    """Whatever may stand on record, as one short line."""
    if value is None or value == [] or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind is Kind.TIME:
        return _time(value)
    if isinstance(value, int | float):
        return amount(value)
    if isinstance(value, list):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={text_of(item)}" for key, item in value.items())
    return str(value)


def _time(value: Found) -> str:
    from datetime import UTC, datetime

    if isinstance(value, int | float):
        return when(datetime.fromtimestamp(value, UTC).isoformat())
    return when(str(value))
