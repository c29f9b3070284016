"""An open table: its columns, and its rows as an iterator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from mhc.data.tables.source import Source

Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a table."""

    columns: list[str]
    """Names; empty for those of the first row."""
    values: Iterator[Row]
    schema: pa.Schema | None = None
    """Of Parquet, and of JSON Lines for an output in Parquet."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """An open table; at least one row."""

    name: str
    """Name of the file in messages."""
    columns: list[str]
    """For JSON Lines: the keys of all rows, or those of the first row if the output is JSON Lines as well."""
    text: list[str]
    """Columns of the texts, which are joined."""
    rows: Iterator[Row]
    share_read: Callable[[], float | None]
    """Share of the file that is read, 0 to 1; None if its size is unknown."""
    schema: pa.Schema | None = None
    """Of Parquet, and of JSON Lines for an output in Parquet."""
    notes: list[str] = field(default_factory=list)
    """What was found in the file and is not as usual."""


class Position:
    """How far a file is read; a file may be opened several times."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.file: IO[bytes] | None = None

    def open(self) -> IO[bytes]:
        """Open the file."""
        self.file = self.source.opened()
        return self.file

    def share(self) -> float | None:
        """Return the share of the file that is read since it was last opened; None if its size is unknown."""
        if self.file is None or self.file.closed:
            return 1.0
        size = os.fstat(self.file.fileno()).st_size
        return min(1.0, self.file.tell() / size) if size else None
