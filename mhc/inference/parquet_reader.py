"""Read Parquet row by row, with every value unchanged, for an output in Parquet or in text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from mhc.errors import BadInput
from mhc.inference.table import Row, Table, refuse_duplicates

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_ROWS = 4096


def read(file: IO[bytes], name: str, *, to_parquet: bool) -> Table:
    """Open a Parquet table.

    With `to_parquet` times are numbers, which the writer turns back by the schema: Python has no type for all of them.

    Raises:
        BadInput: if the file cannot be read, has no rows, or several columns of one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    seekable = file if file.seekable() else io.BytesIO(file.read())
    try:
        parquet = pq.ParquetFile(seekable)
        total = parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{name} is not a readable Parquet file ({type(error).__name__}). Write it again") from None
    if not total:
        raise BadInput(f"{name} has no rows. Give at least one text")
    schema = parquet.schema_arrow
    refuse_duplicates(schema.names, name)
    progress = [0]
    return Table(
        name=name,
        format="parquet",
        columns=list(schema.names),
        rows=_rows(parquet, name, progress, _readable(schema, to_parquet=to_parquet)),
        share_read=lambda: progress[0] / total,
        schema=schema,
    )


def _rows(parquet: pq.ParquetFile, name: str, progress: list[int], schema: pa.Schema) -> Iterator[Row]:
    """Yield the rows, and count them in `progress`."""
    import pyarrow as pa

    try:
        for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
            for row in (batch if batch.schema == schema else batch.cast(schema)).to_pylist():
                progress[0] += 1
                yield row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{name} is damaged after row {progress[0]} ({type(error).__name__}). Write it again") from None
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{name} has a value after row {progress[0]} that cannot be written as text ({type(error).__name__}). "
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
