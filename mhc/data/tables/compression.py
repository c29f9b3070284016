"""Open compressed files as streams of bytes: gz, bz2, xz, zst, and zip with one member."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from mhc.errors import BadInput

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Suffixes of compressed files."""

MAX_WINDOW = 1 << 31
"""Window of zst in bytes: archives of Reddit are written with `--long=31`."""


@contextmanager
def decompressed(file: IO[bytes], suffix: str, name: str) -> Iterator[IO[bytes]]:
    """Open the content of a compressed file; a `suffix` that is none of `SUFFIXES` is no compression.

    Raises:
        BadInput: if the file is damaged, is encrypted, or has not exactly one member.
    """
    from zstandard import ZstdError

    damage = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, ZstdError, zipfile.BadZipFile, EOFError)
    try:
        yield stream(file, suffix, name)
    except damage as error:
        raise damaged(name, suffix, error) from None
    except OSError as error:
        if suffix == ".bz2" and error.errno is None:  # the library has no error class of its own
            raise damaged(name, suffix, error) from None
        raise


def damaged(name: str, suffix: str, error: Exception) -> BadInput:
    """Return the error for a file that cannot be decompressed."""
    return BadInput(f"{name} is not a whole {suffix} file ({type(error).__name__}). Copy or compress it again")


def stream(file: IO[bytes], suffix: str, name: str) -> IO[bytes]:
    """Return the content of a compressed file as a buffered stream."""
    if suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if suffix == ".bz2":
        return cast(IO[bytes], bz2.BZ2File(file))
    if suffix == ".xz":
        return cast(IO[bytes], lzma.LZMAFile(file))
    if suffix == ".zst":
        from zstandard import ZstdDecompressor

        reader = ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(file, read_across_frames=True)
        return io.BufferedReader(cast(io.RawIOBase, reader), 1 << 17)
    return member(file, name) if suffix == ".zip" else file


def member(file: IO[bytes], name: str) -> IO[bytes]:
    """Return the one file in a zip file.

    Raises:
        BadInput: if it has none or several, or a password.
    """
    archive = zipfile.ZipFile(file)
    members = [info for info in archive.infolist() if not info.is_dir() and not is_of_macos(info.filename)]
    if len(members) != 1:
        raise BadInput(f"{name} has {len(members)} files in it. Extract it, and name the file to read")
    try:
        return archive.open(members[0])
    except RuntimeError:
        raise BadInput(f"{name} needs a password. Extract it, and name the file to read") from None


def is_of_macos(filename: str) -> bool:
    """Return whether a member of a zip file holds only attributes that macOS adds."""
    return filename.startswith("__MACOSX/")
