"""Write tables row by row. A file gets its name when it is complete; a killed process leaves a hidden `.part` file."""

from __future__ import annotations

import csv
import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TextIO

from mhc import disk, streams
from mhc.errors import BadInput
from mhc.inference.table import Row
from mhc.inference.table_reader import STDIO

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Added = Mapping[str, type]
"""Types of the added columns: str, float or bool."""


class Writer(Protocol):
    """A writer of rows that all have the same columns."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""

    def close(self) -> None:
        """Finish the output."""


@contextmanager
def open_output(path: str) -> Iterator[IO[bytes]]:
    """Open an output: a file (which appears complete or not at all), a device, or stdout.

    Raises:
        BadInput: if it cannot be written, at the beginning or later.
    """
    if path == STDIO:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except OSError as error:
            raise streams.output_error(error) from None
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
            f"{path} cannot be written: {disk.reason(error, target.parent)}. Choose another output="
        ) from None
    finally:
        if not direct:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def refuse_input(source: str, target: str) -> None:
    """Refuse an output that is the input, by whatever path, link or redirection.

    Raises:
        BadInput: if both are one file.
    """
    read, write = _status(source, sys.stdin), _status(target, sys.stdout)
    if read and write and stat.S_ISREG(read.st_mode) and os.path.samestat(read, write):
        raise BadInput(f"output={target[:200]} is the input itself, which would be overwritten. Choose another output=")


def _status(path: str, stream: TextIO) -> os.stat_result | None:
    try:
        return os.fstat(stream.fileno()) if path == STDIO else Path(path).stat()
    except (OSError, ValueError):
        return None


def writer(file: IO[bytes], format: str, columns: Sequence[str], added: Added, schema: pa.Schema | None) -> Writer:
    """Return a writer in csv, tsv, jsonl or parquet for rows with `columns` and then the `added` columns."""
    if format == "jsonl":
        return JsonLines(file)
    if format == "parquet":
        return Parquet(file, columns, added, schema)
    return Csv(file, [*columns, *added], "\t" if format == "tsv" else ",")


class Csv:
    """CSV or TSV with a header line."""

    def __init__(self, file: IO[bytes], columns: Sequence[str], separator: str) -> None:
        self.file, self.columns = file, columns
        self.text = io.StringIO(newline="")
        self.csv = csv.writer(self.text, delimiter=separator, lineterminator="\n")
        self.csv.writerow(columns)

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows.

        Raises:
            BadInput: if a row has a column that the table did not have when it was opened.
        """
        require_columns(rows, self.columns)
        for row in rows:
            self.csv.writerow([_plain(row.get(column)) for column in self.columns])
        self.flush()

    def close(self) -> None:
        """Write the header if there were no rows."""
        self.flush()

    def flush(self) -> None:
        """Write the formatted lines to the file."""
        self.file.write(self.text.getvalue().encode("utf-8", "replace"))
        self.text.seek(0)
        self.text.truncate()


class JsonLines:
    """One object per line."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""
        self.file.writelines(as_json(row) + b"\n" for row in rows)

    def close(self) -> None:
        """Do nothing: the format has no end mark."""


class Parquet:
    """Parquet with the column types of the input, which are texts if it is CSV."""

    def __init__(self, file: IO[bytes], columns: Sequence[str], added: Added, schema: pa.Schema | None) -> None:
        self.file, self.columns, self.added, self.schema = file, columns, added, schema
        self.parquet: pq.ParquetWriter | None = None

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows as one row group.

        Raises:
            BadInput: if a column has values of several types, or a row has a column that the table did not have.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        require_columns(rows, [*self.columns, *self.added])
        try:
            if self.parquet is None:
                self.schema = self.with_added(self.schema or pa.schema([(name, pa.string()) for name in self.columns]))
                self.parquet = pq.ParquetWriter(self.file, self.schema)
            self.parquet.write_table(pa.Table.from_pylist(list(rows), schema=self.schema))
        except (pa.ArrowException, OverflowError) as error:
            raise BadInput(
                f"The rows do not fit into Parquet ({type(error).__name__}): a column has values of several types. "
                "Choose an output that ends in .jsonl"
            ) from None

    def with_added(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema with the added columns at its end."""
        import pyarrow as pa

        types = {str: pa.string(), float: pa.float64(), bool: pa.bool_()}
        fields = [field for field in schema if field.name not in self.added]
        return pa.schema([*fields, *(pa.field(name, types[kind]) for name, kind in self.added.items())])

    def close(self) -> None:
        """Write the footer."""
        if self.parquet is not None:
            self.parquet.close()


def require_columns(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Check that no row has another column, which would not be written.

    Raises:
        BadInput: if one has, because the file grew while it was read.
    """
    names = set(columns)
    for row in rows:
        if not row.keys() <= names:
            raise BadInput(
                f"A row has the column {min(row.keys() - names)[:60]!r}, which the input did not have at first. "
                "Label it again when nothing writes to it"
            )


def as_json(value: object) -> bytes:
    """Return a value as JSON; times of pandas, which are exact to the nanosecond, as ISO 8601."""
    import msgspec

    return msgspec.json.encode(value, enc_hook=_iso_time)


def _iso_time(value: object) -> str:
    iso = getattr(value, "isoformat", None)
    if iso is None:
        raise BadInput(
            f"The input has a value of the type {type(value).__name__}, which has no text. Leave its column out"
        )
    return str(iso())


def _plain(value: object) -> object:
    """Return a value for CSV: an empty text for None, numbers and texts unchanged, all else as in JSON."""
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    return as_json(value).decode().removeprefix('"').removesuffix('"')
