"""Read Parquet row by row, with every value unchanged, for an output in Parquet or in text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mhc.data.tables.parquet_table import open_parquet
from mhc.data.tables.source import Source
from mhc.errors import BadInput
from mhc.inference.table import Row, Rows

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 4096


def rows(source: Source, names: list[str], *, to_parquet: bool) -> Rows:
    """Return the rows of a Parquet file, whose columns get these names.

    With `to_parquet` times are numbers, which the writer turns back by the schema: Python has no type for all of them.

    Raises:
        BadInput: if the file cannot be read.
    """
    with open_parquet(source) as parquet:
        schema = renamed(parquet.schema_arrow, names)
    return Rows(columns=names, values=_rows(source, schema, _readable(schema, to_parquet=to_parquet)), schema=schema)


def renamed(schema: pa.Schema, names: list[str]) -> pa.Schema:
    """Return the schema with other names."""
    import pyarrow as pa

    return pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)], schema.metadata)


def _rows(source: Source, schema: pa.Schema, readable: pa.Schema) -> Iterator[Row]:
    """Yield the rows with the types of `readable`."""
    import pyarrow as pa

    count = 0
    try:
        with open_parquet(source) as parquet:
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
                named = batch.rename_columns(schema.names)
                for row in (named if readable == schema else named.cast(readable)).to_pylist():
                    count += 1
                    yield row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{source.name} is damaged after row {count} ({type(error).__name__}). Write it again") from None
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{source.name} has a value after row {count} that cannot be written as text ({type(error).__name__}). "
            "Choose an output that ends in .parquet, or leave the column out"
        ) from None


def _readable(schema: pa.Schema, *, to_parquet: bool) -> pa.Schema:
    """Return the schema with types whose values Python can hold without a loss."""
    import pyarrow as pa

    return pa.schema([field.with_type(_type(field.type, to_parquet=to_parquet)) for field in schema])


def _type(kind: pa.DataType, *, to_parquet: bool) -> pa.DataType:
    import pyarrow as pa

    def inner(field: pa.Field) -> pa.Field:
        return field.with_type(_type(field.type, to_parquet=to_parquet))

    types = pa.types
    if types.is_list(kind):
        return pa.list_(inner(kind.value_field))
    if types.is_large_list(kind):
        return pa.large_list(inner(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(inner(kind.value_field), kind.list_size)
    if types.is_struct(kind):
        return pa.struct([inner(field) for field in kind])
    if types.is_map(kind):
        return pa.map_(inner(kind.key_field), inner(kind.item_field))
    return _plain_type(kind, to_parquet=to_parquet)


def _plain_type(kind: pa.DataType, *, to_parquet: bool) -> pa.DataType:
    import pyarrow as pa

    types = pa.types
    if to_parquet and (types.is_timestamp(kind) or types.is_duration(kind) or types.is_time64(kind)):
        return pa.int64()
    if types.is_time64(kind) and kind.unit == "ns":
        return pa.string()
    return kind
