"""Read Parquet, and Arrow tables of the library `datasets`, as texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mhc.data.tables.source import Source
from mhc.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH = 8192
"""Rows that are converted at once."""


@contextmanager
def open_parquet(source: Source) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file.

    Raises:
        BadInput: if it is damaged.
    """
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    with source.bytes() as file:
        try:
            parquet = pq.ParquetFile(file)
        except (ArrowException, OSError) as error:
            raise damaged(source.name, error) from None
        yield parquet


def damaged(name: str, error: Exception) -> BadInput:
    """Return the error for a file that cannot be read."""
    return BadInput(f"{name} is not a readable Parquet file ({type(error).__name__}). Write it again")


def cells_of_parquet(source: Source, places: Sequence[int]) -> list[list[str]]:
    """Return the columns at these positions of a Parquet file as texts.

    Raises:
        BadInput: if the file is damaged, or a column does not contain texts.
    """
    from pyarrow import ArrowException

    with open_parquet(source) as parquet:
        names = [parquet.schema_arrow.names[place] for place in places]
        try:
            return cells_of_arrow(parquet.iter_batches(BATCH, columns=names), names, source.name)
        except (ArrowException, OSError) as error:
            raise damaged(source.name, error) from None


def cells_of_arrow(tables: Iterable[pa.Table | pa.RecordBatch], names: Sequence[str], where: str) -> list[list[str]]:
    """Return columns of Arrow tables that follow each other, as texts.

    Raises:
        BadInput: if a column does not contain texts.
    """
    import pyarrow as pa

    values: list[list[str]] = [[] for _ in names]
    for table in tables:
        for name, column in zip(names, values, strict=True):
            cells = table.column(name)
            try:
                column.extend(texts_of(cells))
            except (pa.ArrowException, UnicodeDecodeError) as error:
                raise BadInput(
                    f"Column {name!r} of {where} contains {cells.type}, not texts. Choose another"
                ) from error
    return values


def texts_of(cells: pa.Array | pa.ChunkedArray) -> list[str]:
    """Return values as texts; a missing one is empty."""
    import pyarrow as pa

    texts = [cell or "" for cell in cells.cast(pa.large_string()).to_pylist()]
    return ["" if text == "nan" else text for text in texts] if pa.types.is_floating(cells.type) else texts
