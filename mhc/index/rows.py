"""The tables of the index and their rows. Pure: nothing here touches a disk.

The index is recreated if VERSION changes, so there are no migrations.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

VERSION = 7
"""Stored as SQLite's user_version; increase it with every change of SCHEMA or of `mhc.index.update`."""

# configs.sections is JSON: name of a section -> its id in sections. config_keys.words is a JSON list.
# runs.checksum is that of the row, see `checksum`; records.checksum is the CRC-32 of json.
SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    path TEXT PRIMARY KEY, location TEXT NOT NULL, error TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    status TEXT NOT NULL, shown TEXT NOT NULL, reason TEXT NOT NULL, category TEXT,
    created REAL, started REAL, ended REAL, changed REAL, duration REAL,
    sweep TEXT, grp TEXT, seed INTEGER, model TEXT, parameters INTEGER,
    accuracy REAL, f1_macro REAL, val_accuracy REAL, val_f1_macro REAL,
    candidate INTEGER, pinned INTEGER NOT NULL, tags TEXT NOT NULL,
    data TEXT, val_data TEXT, test_data TEXT, fold INTEGER, checksum INTEGER NOT NULL
);
CREATE INDEX newest ON runs (created DESC, id);
CREATE INDEX by_id ON runs (id);
CREATE INDEX counted ON runs (error, shown, category, candidate, location, id);
CREATE INDEX unreadable ON runs (path) WHERE error <> '';
CREATE INDEX recently_changed ON runs (changed);
CREATE INDEX claimed ON runs (path) WHERE status = 'running';
CREATE TABLE records (path TEXT PRIMARY KEY, json BLOB NOT NULL, words TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE configs (path TEXT PRIMARY KEY, sections BLOB NOT NULL);
CREATE TABLE sections (id INTEGER PRIMARY KEY, name TEXT NOT NULL, json BLOB NOT NULL);
CREATE INDEX by_section ON sections (name);
CREATE TABLE config_keys (words TEXT, is_reference INTEGER, PRIMARY KEY (words, is_reference)) WITHOUT ROWID;
"""


Value = str | int | float | bytes | None
"""What SQLite returns."""
_encode = msgspec.msgpack.Encoder().encode


class Row(NamedTuple):
    """One run as the index stores it. Times are Unix seconds; scores are of the test split."""

    path: str
    """As `mhc.index.scan.scan` returns it."""
    location: str
    error: str
    """Why the record cannot be read; empty if it can."""
    id: str
    name: str
    status: str
    """As recorded."""
    shown: str
    """As derived: `lost` if the record says `running` and the process is gone."""
    reason: str
    """The reason of the shown status."""
    category: str | None
    created: float | None
    started: float | None
    ended: float | None
    changed: float | None
    """Time of the last event."""
    duration: float | None
    """Seconds from start to end; None while running."""
    sweep: str | None
    grp: str | None
    seed: int | None
    model: str | None
    parameters: int | None
    accuracy: float | None
    f1_macro: float | None
    val_accuracy: float | None
    val_f1_macro: float | None
    candidate: int | None
    pinned: int
    tags: str
    """One per line."""
    data: str | None
    """The name of the data."""
    val_data: str | None
    """The beginning of the fingerprint of the validation split: scores on val are comparable if it is equal. Of the run
    of a fold, that of the rows of all folds: means over all folds are comparable."""
    test_data: str | None
    fold: int | None
    """The fold that is its test split; None without cross-validation."""


DERIVED = (Row._fields.index("shown"), Row._fields.index("reason") + 1)
"""The slice of the fields that change without the record, so the checksum does not cover them."""


def checksum(row: Sequence[object]) -> int:
    """Return the checksum of a row as SQLite returns it: a flipped bit in the file of the index is found by it."""
    start, end = DERIVED
    return zlib.crc32(_encode((*row[:start], *row[end:])))


def rows_of(rows: list[tuple[Value, ...]]) -> list[Row]:
    """Return the rows of a SELECT of all fields and the checksum.

    Raises:
        ValueError: if a checksum is wrong.
    """
    if any(checksum(row[:-1]) != row[-1] for row in rows):
        raise ValueError("a row of the index is damaged")
    return [Row(*row[:-1]) for row in rows]  # type: ignore[arg-type]


def records_of(rows: list[tuple[Value, ...]], expected: Collection[str] = ()) -> dict[str, bytes]:
    """Return the JSON by path, of rows of path, JSON and checksum; without empty ones.

    Raises:
        ValueError: if a checksum is wrong, or an expected path is missing.
    """
    records = {
        str(path): content for path, content, crc in rows if isinstance(content, bytes) and zlib.crc32(content) == crc
    }
    if len(records) < len(rows) or not records.keys() >= set(expected):
        raise ValueError("a record in the index is damaged")
    return {path: content for path, content in records.items() if content}
