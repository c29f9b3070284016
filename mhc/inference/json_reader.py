"""Read JSON Lines row by row; a first pass finds all columns, if the output needs to know them in advance."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import IO, TYPE_CHECKING

from mhc.errors import BadInput
from mhc.inference.table import Row, Table, share_of

if TYPE_CHECKING:
    import pyarrow as pa

PASS_ROWS = 8192
"""Rows whose types are inferred at once."""


def read(file: IO[bytes], name: str, output: str) -> Table:
    """Open a table of JSON Lines. `columns` are the keys of all rows, but of the first row for an output in JSON Lines.

    Raises:
        BadInput: if the first row, or for another output any row, is not an object, or if columns do not fit Parquet.
    """
    columns: list[str] = []
    schema = None
    if output != "jsonl":
        file = file if file.seekable() else io.BytesIO(file.read())
        start = file.tell()
        columns, schema = _scan(file, name, types=output == "parquet")
        file.seek(start)
    rows = _rows(file, name)
    first = next(rows, None)
    if first is None:
        raise BadInput(f"{name} has no rows. Give at least one text")
    return Table(
        name=name,
        format="jsonl",
        columns=columns or list(first),
        rows=chain([first], rows),
        share_read=share_of(file),
        schema=schema,
    )


def _scan(file: IO[bytes], name: str, *, types: bool) -> tuple[list[str], pa.Schema | None]:
    """Return the keys of all rows in the order of their first appearance, and on request the types of their values."""
    columns: dict[str, None] = {}
    schema = None
    rows = _rows(file, name)
    while chunk := list(islice(rows, PASS_ROWS)):
        columns.update(dict.fromkeys(key for row in chunk for key in row))
        if types:
            schema = _extended(schema, chunk, list(columns), name)
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


def _rows(file: IO[bytes], name: str) -> Iterator[Row]:
    import msgspec

    decoder = msgspec.json.Decoder(dict[str, object])
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
            if line.count(b":") > len(row):  # a cheap proof that no key is given twice
                json.loads(line, object_pairs_hook=_without_duplicates)
        except _DuplicateKey as error:
            raise BadInput(f"Line {number} of {name} has the key {str(error)[:60]!r} twice. Rename one") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise BadInput(
                f"Line {number} of {name} is not a JSON object ({type(error).__name__}). Write one object per line"
            ) from None
        yield row


class _DuplicateKey(ValueError):
    """A key that an object has twice."""


def _without_duplicates(pairs: list[tuple[str, object]]) -> Row:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(next(key for key in keys if keys.count(key) > 1))
    return values
