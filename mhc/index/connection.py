"""The file of the index: open it, recreate it, or continue in memory. `mhc.index.refresh` fills it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from mhc.files import require_regular
from mhc.index.rows import SCHEMA, VERSION

FILE = ".index.sqlite"
SUFFIXES = ("", "-journal", "-wal", "-shm")
"""Of the index itself, and of the files that SQLite opens beside it if they exist."""
LOCK_TIMEOUT = 3.0
"""Seconds to wait for another process that is writing the index, before continuing in memory."""
DAMAGED = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's result codes for a file that is not a valid index (ERROR: a table is missing)."""


class _OtherVersion(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_NOTADB


class _NotRegular(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_CANTOPEN


def connect(outputs: Path) -> sqlite3.Connection:
    """Open the index of `outputs`; create it if it does not exist.

    Raises:
        sqlite3.Error: if that fails; see `is_damaged`.
    """
    file = outputs / FILE
    if file.is_symlink():
        raise _NotRegular(f"{file} is a link and could lead anywhere")
    _require_regular(file)
    database = sqlite3.connect(file, timeout=LOCK_TIMEOUT, isolation_level=None)
    _create_tables(database)
    return database


def _require_regular(file: Path) -> None:
    """Check the files that SQLite opens by their names, because it would wait for a pipe.

    They are not opened: closing one would release the locks of another connection of this process.

    Raises:
        sqlite3.Error: if one of them exists and is not a regular file.
    """
    for suffix in SUFFIXES:
        path = file.with_name(file.name + suffix)
        try:
            require_regular(path)
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise _NotRegular(f"{path} cannot be used: {problem.strerror}") from problem


def recreate(outputs: Path) -> sqlite3.Connection:
    """Replace the index of `outputs` by an empty one; in memory if that fails."""
    try:
        remove(outputs)
        return connect(outputs)
    except (OSError, sqlite3.Error):
        return empty_in_memory()


def connect_in_memory(outputs: Path) -> sqlite3.Connection:
    """Open a database in memory, filled from the index of `outputs` if that can be read."""
    with suppress(sqlite3.Error):
        _require_regular(outputs / FILE)
        file = (outputs / FILE).resolve()  # not before: pathlib raises RuntimeError for a loop of links
        _require_regular(file)
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0.1)) as source:
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM files LIMIT 1").fetchone()  # fails at once if locked; `backup` would wait
            database = sqlite3.connect(":memory:", isolation_level=None)
            source.backup(database)
            _create_tables(database)
            return database
    return empty_in_memory()


def remove(outputs: Path) -> None:
    """Remove the index; the next reader rebuilds it from the folders."""
    for suffix in SUFFIXES:
        (outputs / f"{FILE}{suffix}").unlink(missing_ok=True)


def is_damaged(error: Exception) -> bool:
    """Return whether the file must be recreated; if not, it is locked, read-only or inaccessible, and stays as it is.

    Only the primary result code counts: extended codes have more bits. An error without a code comes from Python, which
    found a text that is not UTF-8, or a value of another type than was stored.
    """
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in DAMAGED


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


def empty_in_memory() -> sqlite3.Connection:
    """Open an empty database in memory."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    _create_tables(database)
    return database
