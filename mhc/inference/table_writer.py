"""Rows out. A file appears under its name when it is whole; what a killed process leaves is a hidden `.part`."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from mhc.errors import BadInput
from mhc.inference.table_reader import STDIO, Row

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Added = Mapping[str, type]
"""The columns that we add, with their types: str, float or bool."""


class Writer(Protocol):
    """Takes rows that all have the same columns."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows behind those before."""

    def close(self) -> None:
        """Write what has to stand at the end."""


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open an output: a file (whole or not at all), a device, or stdout.

    Raises:
        BadInput: it cannot be written, at once or when the disk is full.
    """
    if path == STDIO:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    direct = target.exists() and not target.is_file() and not target.is_dir()  # a device or a pipe
    part = target if direct else target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        with part.open("wb") as file:
            yield file
        if not direct:
            part.replace(target)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror or type(error).__name__}. Choose another output="
        ) from None
    finally:
        if not direct:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def writer(file: IO[bytes], format: str, columns: Sequence[str], added: Added, schema: pa.Schema | None) -> Writer:
    """Return what writes rows of `columns` and then the `added` ones, in csv, tsv, jsonl or parquet."""
    if format == "jsonl":
        return JsonLines(file)
    if format == "parquet":
        return Parquet(file, added, schema)
    return Csv(file, [*columns, *added], "\t" if format == "tsv" else ",")


class Csv:
    """CSV or TSV with a line of column names."""

    def __init__(self, file: IO[bytes], columns: Sequence[str], separator: str) -> None:
        self.file, self.columns = file, columns
        self.text = io.StringIO(newline="")
        self.csv = csv.writer(self.text, delimiter=separator, lineterminator="\n")
        self.csv.writerow(columns)

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows; a column that only later rows of JSON Lines have is an error, not lost."""
        known = set(self.columns)
        for row in rows:
            if not row.keys() <= known:
                raise BadInput(
                    f"A later row has the column {min(row.keys() - known)[:60]!r}, which the first row has not. "
                    "Choose an output that ends in .jsonl"
                )
            self.csv.writerow([_plain(row.get(column)) for column in self.columns])
        self.flush()

    def close(self) -> None:
        """Write the column names where there were no rows."""
        self.flush()

    def flush(self) -> None:
        """Hand over what was formatted."""
        self.file.write(self.text.getvalue().encode("utf-8", "replace"))
        self.text.seek(0)
        self.text.truncate()


class JsonLines:
    """One object a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        import msgspec

        self.file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)

    def close(self) -> None:
        """Nothing stands at the end."""


class Parquet:
    """Parquet; the types of the columns are the input's where it is Parquet too, else those of the first rows."""

    def __init__(self, file: IO[bytes], added: Added, schema: pa.Schema | None) -> None:
        self.file, self.added, self.schema = file, added, schema
        self.parquet: pq.ParquetWriter | None = None

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows as one group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            if self.parquet is None:
                self.schema = self.with_added(self.schema or pa.Table.from_pylist(list(rows)).schema)
                self.parquet = pq.ParquetWriter(self.file, self.schema)
            self.parquet.write_table(pa.Table.from_pylist(list(rows), schema=self.schema))
        except pa.ArrowException as error:
            raise BadInput(
                f"The rows do not fit into Parquet ({type(error).__name__}): a column has values of several types. "
                "Choose an output that ends in .jsonl"
            ) from None

    def with_added(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema with the columns that we add at its end."""
        import pyarrow as pa

        types = {str: pa.string(), float: pa.float64(), bool: pa.bool_()}
        kept = [field for field in schema if field.name not in self.added]
        return pa.schema([*kept, *(pa.field(name, types[kind]) for name, kind in self.added.items())])

    def close(self) -> None:
        """Write the footer."""
        if self.parquet is not None:
            self.parquet.close()


def _plain(value: object) -> object:
    """Return a value as CSV has it: nothing for None, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        import msgspec

        return msgspec.json.encode(value).decode()
    return value
