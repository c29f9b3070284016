"""A file of texts, or stdin: checked, and opened as bytes as often as needed. A path is opened as it is."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO

from mhc.data.tables import compression
from mhc.data.tables.compression import decompressed
from mhc.errors import BadInput, NotFound

KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "excel",
}
"""Kind of file by suffix; the kinds csv and json may be compressed."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table before it is read."""

    name: str
    """Name in messages."""
    kind: str
    """csv, json, parquet or excel."""
    suffix: str
    """Suffix without that of the compression, such as .tsv."""
    compression: str
    """Suffix of the compression, or empty."""
    opened: Callable[[], IO[bytes]]

    @contextmanager
    def bytes(self) -> Iterator[IO[bytes]]:
        """Open the content, from its first byte.

        Raises:
            BadInput: if it cannot be read or decompressed.
        """
        with self.opened() as file:
            if not self.compression:
                yield file
                return
            with decompressed(file, self.compression, self.name) as content:
                yield content


def of_path(path: Path) -> Source:
    """Return a file as a source.

    Raises:
        NotFound: if there is no such file.
        BadInput: if it is a folder, a pipe or a device, empty, or of an unsupported kind.
    """
    try:
        exists = path.exists()
    except (OSError, ValueError):
        raise BadInput(f"{str(path)[:200]!r} is not a valid file name. Name another file") from None
    if not exists:
        raise NotFound(f"There is no file {path}. Give its path from the working directory {Path.cwd()}")
    if path.is_dir():
        raise BadInput(f"{path} is a folder. Name a file, or use data=huggingface for a folder of a data set")
    if not path.is_file():
        raise BadInput(f"{path} is a pipe or a device, which can be read only once. Save its content to a file")
    suffix, compressed = suffixes(path)
    if suffix not in KINDS or (compressed and KINDS[suffix] not in ("csv", "json")):
        raise BadInput(
            f"{path} ends in {suffix + compressed or 'nothing'}; files of texts end in {', '.join(KINDS)}; all but the "
            f"last two may be compressed ({', '.join(compression.SUFFIXES)})"
        )
    if path.stat().st_size == 0:
        raise BadInput(f"{path} is empty. A file of texts has a line of column names and one row per text")
    return Source(
        name=str(path), kind=KINDS[suffix], suffix=suffix, compression=compressed, opened=lambda: path.open("rb")
    )


def suffixes(path: PurePath) -> tuple[str, str]:
    """Return the suffix of a file and that of its compression, in lower case."""
    last = path.suffix.lower()
    if last not in compression.SUFFIXES:
        return last, ""
    return path.with_suffix("").suffix.lower(), last


@contextmanager
def of_stdin(suffix: str) -> Iterator[Source]:
    """Return stdin as a source; `suffix` is that of the files of its format.

    It is read twice, so it is copied into a file without a name, which only this user can read.

    Raises:
        BadInput: if it is empty.
    """
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        if not file.tell():
            raise BadInput("stdin is empty. A table has a line of column names and one row per text")
        file.flush()

        def opened() -> IO[bytes]:
            file.seek(0)
            return os.fdopen(os.dup(file.fileno()), "rb")

        yield Source(name="stdin", kind=KINDS[suffix], suffix=suffix, compression="", opened=opened)
