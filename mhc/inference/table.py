"""An open table: its columns, and its rows as an iterator."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from mhc.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Table:
    """An open table; at least one row."""

    name: str
    """Name of the file in messages."""
    format: str
    columns: list[str]
    """For JSON Lines: the keys of all rows, or those of the first row if the output is JSON Lines as well."""
    rows: Iterator[Row]
    share_read: Callable[[], float | None]
    """Share of the file that is read, 0 to 1; None if its size is unknown."""
    schema: pa.Schema | None = None
    """Of Parquet, and of JSON Lines for an output in Parquet."""


def share_of(file: IO[bytes]) -> Callable[[], float | None]:
    """Return a function that returns the share of a file that is read."""
    size = os.fstat(file.fileno()).st_size if file.seekable() and not isinstance(file, io.BytesIO) else 0
    return lambda: min(1.0, file.tell() / size) if size else None


def refuse_duplicates(columns: list[str], name: str) -> None:
    """Refuse a table with two columns of one name: a row could hold only one of them.

    Raises:
        BadInput: if there are any; names them.
    """
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise BadInput(f"{name} has several columns named {', '.join(twice)[:200]!r}. Rename all but one")
