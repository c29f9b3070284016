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
from typing import IO, TYPE_CHECKING, cast

from mhc.errors import BadInput

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Suffixes of compressed files."""

CHUNK = 1 << 17
"""Bytes that are decompressed at once."""

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
        return io.BufferedReader(ZstdReader(file), CHUNK)
    return member(file, name) if suffix == ".zip" else file


class ZstdReader(io.RawIOBase):
    """The content of a zst file of one or more frames; the library's own reader does not notice a cut-off file."""

    def __init__(self, file: IO[bytes]) -> None:
        from zstandard import ZstdDecompressor

        self.file = file
        self.library = ZstdDecompressor(max_window_size=MAX_WINDOW)
        self.frame = self.library.decompressobj()
        self.is_begun = False
        self.content = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Read the next bytes into a buffer, and return their number; 0 at the end.

        Raises:
            EOFError: if the file ends within a frame.
        """
        while not self.content and self.decompress():
            pass
        target = memoryview(buffer)
        count = min(len(target), len(self.content))
        target[:count] = self.content[:count]
        self.content = self.content[count:]
        return count

    def decompress(self) -> bool:
        """Decompress the next bytes of the file; return whether there were any."""
        block = (self.frame.unused_data if self.frame.eof else b"") or self.file.read(CHUNK)
        if self.frame.eof and block:
            self.frame, self.is_begun = self.library.decompressobj(), False
        if not block:
            if self.is_begun and not self.frame.eof:
                raise EOFError("the file ends within a frame")
            return False
        self.content, self.is_begun = memoryview(self.frame.decompress(block)), True
        return True


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
