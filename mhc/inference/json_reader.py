"""Rows of JSON for an output of any format; a first pass finds all columns, if the output needs them in advance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from mhc.data.tables.json_table import JsonTable
from mhc.errors import BadInput
from mhc.inference.table import Row, Rows

if TYPE_CHECKING:
    import pyarrow as pa

PASS_ROWS = 8192
"""Rows whose types are inferred at once."""


def rows(table: JsonTable, output: str) -> Rows:
    """Return the rows of a table; its columns are the keys of all rows, for an output in JSON Lines those of the first.

    Raises:
        BadInput: if for another output than JSON Lines a row is not an object, or if columns do not fit Parquet.
    """
    columns: list[str] = []
    schema = None
    if output != "jsonl":
        columns, schema = _scan(table, types=output == "parquet")
    return Rows(columns=columns, values=table.objects(), schema=schema)


def _scan(table: JsonTable, *, types: bool) -> tuple[list[str], pa.Schema | None]:
    """Return the keys of all rows in the order of their first appearance, and on request the types of their values."""
    columns: dict[str, None] = {}
    schema = None
    rows = table.objects()
    while chunk := list(islice(rows, PASS_ROWS)):
        columns.update(dict.fromkeys(key for row in chunk for key in row))
        if types:
            schema = _extended(schema, chunk, list(columns), table.source.name)
    return list(columns), schema


def _extended(schema: pa.Schema | None, rows: Sequence[Row], columns: Sequence[str], name: str) -> pa.Schema:
    """Return the schema, extended to the values of these rows."""
    import pyarrow as pa

    fields = []
    for column in columns:
        try:
            kind = pa.array([row.get(column) for row in rows]).type
            earlier = schema.field(column).type if schema is not None and column in schema.names else pa.null()
            both = [pa.schema([pa.field(column, one)]) for one in (earlier, kind)]
            fields.append(pa.unify_schemas(both, promote_options="permissive").field(0))
        except (pa.ArrowException, OverflowError) as error:
            raise BadInput(
                f"Column {column[:60]!r} of {name} does not fit into Parquet ({type(error).__name__}): it has values "
                "of several types. Choose an output that ends in .jsonl"
            ) from None
    return pa.schema(fields)
