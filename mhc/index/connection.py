"""The file of the index: open it, recreate it, or continue in memory. `mhc.index.refresh` fills it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from mhc.index.rows import SCHEMA, VERSION

FILE = ".index.sqlite"
LOCK_TIMEOUT = 3.0
"""Seconds to wait for another process that is writing the index, before continuing in memory."""
DAMAGED = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's result codes for a file that is not a valid index (ERROR: a table is missing)."""


class _OtherVersion(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_NOTADB


def connect(outputs: Path) -> sqlite3.Connection:
    """Open the index of `outputs`; create it if it does not exist.

    Raises:
        sqlite3.Error: if that fails; see `is_damaged`.
    """
    file = outputs / FILE
    if file.is_symlink():
        raise sqlite3.OperationalError(f"{file} is a link and could lead anywhere")
    database = sqlite3.connect(file, timeout=LOCK_TIMEOUT, isolation_level=None)
    _create_tables(database)
    return database


def recreate(outputs: Path) -> sqlite3.Connection:
    """Replace the index of `outputs` by an empty one; in memory if that fails."""
    try:
        remove(outputs)
        return connect(outputs)
    except (OSError, sqlite3.Error):
        return _empty_in_memory()


def connect_in_memory(outputs: Path) -> sqlite3.Connection:
    """Open a database in memory, filled from the index of `outputs` if that can be read."""
    with suppress(sqlite3.Error):
        file = (outputs / FILE).resolve().as_uri()
        with closing(sqlite3.connect(f"{file}?mode=ro", uri=True, timeout=0.1)) as source:
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM files LIMIT 1").fetchone()  # fails at once if locked; `backup` would wait
            database = sqlite3.connect(":memory:", isolation_level=None)
            source.backup(database)
            _create_tables(database)
            return database
    return _empty_in_memory()


def remove(outputs: Path) -> None:
    """Remove the index; the next reader rebuilds it from the folders."""
    for name in (FILE, f"{FILE}-journal"):
        (outputs / name).unlink(missing_ok=True)


def is_damaged(error: sqlite3.Error) -> bool:
    """Return whether the file must be recreated; if not, it is locked, read-only or inaccessible, and stays as it is.

    Only the primary result code counts: extended codes have more bits.
    """
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in DAMAGED


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit everything or nothing.

    IMMEDIATE, because a deferred transaction that reads first fails at once if another process is writing.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def read_regular_file(file: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: if it is a link, a pipe or larger than `max_bytes`.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(f"it is larger than {max_bytes:,} bytes")
    return content


def _create_tables(database: sqlite3.Connection) -> None:
    """Create the tables if the database has none."""
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
    _create_tables(database)
    return database
