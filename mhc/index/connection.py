"""The file of the index: open it, make it anew, or go without it. What is in it is `mhc.index.index`'s business."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mhc.index.rows import SCHEMA, VERSION

FILE = ".index.sqlite"
PATIENCE = 3.0
"""Seconds to wait for another reader that is writing the index, before going on in memory."""
TORN = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's result codes of a file that is not the index that it should be (ERROR: a table is missing)."""


class _OtherVersion(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_NOTADB


def connect(outputs: Path) -> sqlite3.Connection:
    """Open the index of `outputs`, made where it is not there yet.

    Raises:
        sqlite3.Error: where that cannot be; see `torn`.
    """
    file = outputs / FILE
    if file.is_symlink():
        raise sqlite3.OperationalError(f"{file} is a link and could lead anywhere")
    database = sqlite3.connect(file, timeout=PATIENCE, isolation_level=None)
    _prepare(database)
    return database


def connect_anew(outputs: Path) -> sqlite3.Connection:
    """Remove the index of `outputs` and make an empty one, in memory where that cannot be."""
    try:
        remove(outputs)
        return connect(outputs)
    except (OSError, sqlite3.Error):
        return _empty_in_memory()


def connect_in_memory(outputs: Path) -> sqlite3.Connection:
    """A database in memory, begun as a copy of the index of `outputs` where that can be read."""
    with suppress(sqlite3.Error):
        file = (outputs / FILE).resolve().as_uri()
        with _closing(sqlite3.connect(f"{file}?mode=ro", uri=True, timeout=0.1)) as source:
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM files LIMIT 1").fetchone()  # locked: says so now, `backup` would wait
            database = sqlite3.connect(":memory:", isolation_level=None)
            source.backup(database)
            _prepare(database)
            return database
    return _empty_in_memory()


def remove(outputs: Path) -> None:
    """Remove the index; the next reader makes it anew from the folders."""
    for name in (FILE, f"{FILE}-journal"):
        (outputs / name).unlink(missing_ok=True)


def torn(problem: sqlite3.Error) -> bool:
    """Whether the file must be made anew; else it is locked, read-only or out of reach, and is left alone."""
    return (getattr(problem, "sqlite_errorcode", None) or 0) & 0xFF in TORN


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. IMMEDIATE, since a deferred one that reads first fails at once when somebody else writes."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def read_plain(file: Path, largest: int) -> bytes:
    """The bytes of a plain file; a link, a pipe or a huge file is an OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise OSError(f"it is larger than {largest:,} bytes")
    return content


def _prepare(database: sqlite3.Connection) -> None:
    """Make the tables where there are none."""
    database.execute("PRAGMA trusted_schema = OFF")
    if _version(database) == VERSION:
        return
    with transaction(database):
        version = _version(database)
        if version == VERSION:
            return
        if version or database.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise _OtherVersion("an index of another version")
        for statement in SCHEMA.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _empty_in_memory() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", isolation_level=None)
    _prepare(database)
    return database


@contextmanager
def _closing(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield database
    finally:
        database.close()
