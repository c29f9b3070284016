"""Bring the tables of the index up to date with the folders, and derive the status of runs that may have died."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mhc import files
from mhc.errors import Unreadable
from mhc.index import config_sections, connection, rows
from mhc.index.config_sections import Section
from mhc.index.rows import Row
from mhc.index.scan import UNREADABLE, active_path, locate, stable_scan, stamp_of
from mhc.record import RECORD_FILE

if TYPE_CHECKING:
    from mhc.policy import LivenessPolicy

BATCH_SIZE = 1000
"""Records read and written in one transaction."""
MIN_AGE_NS = 2_000_000_000
"""A file younger than this is read again next time, because it could change without a change of its stamp."""

Progress = Callable[[int, int], None]
"""Called with (records read, records to read)."""
LivenessLoader = Callable[[], "LivenessPolicy"]
"""Returns the policy; called only if the record of a run says `running`."""


class CacheEntry(NamedTuple):
    """What the index stores of one `run.json`."""

    stamp: str
    """Empty if the file must be read again next time."""
    row: Row
    json: bytes
    """The record without white space; empty if it cannot be read."""
    text: str
    """The text that `search` searches."""
    config: Sequence[Section] = ()


def refresh(database: sqlite3.Connection, outputs: Path, models: Path, progress: Progress) -> None:
    """Read every `run.json` that changed since the last refresh, and remove the runs that have disappeared."""
    started = time.time_ns()
    stored: dict[str, str] = dict(database.execute("SELECT path, stamp FROM files"))
    stamps = stable_scan(outputs, models, stored)
    if stamps == stored:
        return
    changed = [path for path, stamp in stamps.items() if stored.get(path) != stamp]
    missing = [path for path in stored if path not in stamps]
    for start in range(0, len(changed), BATCH_SIZE):
        batch = changed[start : start + BATCH_SIZE]
        entries = {path: _read_entry(outputs, path, _stamp_to_store(stamps[path], started)) for path in batch}
        disappeared = [path for path, entry in entries.items() if entry is None]
        for path in _locations(outputs, disappeared):
            entries[path] = entries.get(path) or _read_entry(outputs, path, "")
        missing += [path for path, entry in entries.items() if entry is None]
        with connection.transaction(database):
            _store(database, [entry for entry in entries.values() if entry is not None])
        progress(start + len(batch), len(changed))
    if missing:  # last, so that no other reader misses a moved run at both paths
        _remove_missing(database, outputs, missing)


def _remove_missing(database: sqlite3.Connection, outputs: Path, paths: list[str]) -> None:
    """Remove the runs that are no longer at these paths; store them at their new path unless another reader has."""
    with connection.transaction(database):
        missing = [path for path in paths if stamp_of(outputs / path) is None]
        _delete(database, missing)
        stored = {path for (path,) in database.execute("SELECT path FROM files")}
        entries = [_read_entry(outputs, path, "") for path in _locations(outputs, missing) - stored]
        _store(database, [entry for entry in entries if entry is not None])


def _locations(outputs: Path, paths: list[str]) -> set[str]:
    """Return the current paths of runs that were at `paths`."""
    return {location for path in paths for location in locate(outputs, active_path(path))}


def _stamp_to_store(stamp: str, started: int) -> str:
    """Return the stamp; empty if the file is so young that it could change without a change of its stamp."""
    if stamp == UNREADABLE or int(stamp.split(":")[1]) > started - MIN_AGE_NS:
        return ""
    return stamp


def _read_entry(outputs: Path, path: str, stamp: str) -> CacheEntry | None:
    """Read one record; None if it has disappeared."""
    from mhc.runs import store

    folder = outputs / path
    try:
        with files.reading(f"The record of {folder}"):
            content = files.read(folder / RECORD_FILE, follow_links=False)
        record = store.decode(content, folder)
    except FileNotFoundError:
        return None
    except Unreadable as problem:
        stamp = "" if isinstance(problem.__cause__, OSError) else stamp
        return CacheEntry(stamp, rows.row_of_unreadable(path, str(problem)), b"", "")
    safe = rows.without_secrets(record)
    json = msgspec.json.format(content, indent=-1) if safe is record else msgspec.json.encode(safe)
    config = config_sections.read(folder, record.lineage.overrides)
    return CacheEntry(stamp, rows.row_of(path, safe), json, rows.text_of(safe), config)


def _store(database: sqlite3.Connection, entries: list[CacheEntry]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO files (path, stamp) VALUES (?, ?)", [(entry.row.path, entry.stamp) for entry in entries]
    )
    marks = ", ".join("?" * (len(Row._fields) + 1))
    stored = [rows.as_stored(entry.row) for entry in entries]
    database.executemany(
        f"INSERT OR REPLACE INTO runs ({', '.join(Row._fields)}, checksum) VALUES ({marks})",
        [(*values, rows.checksum(values)) for values in stored],
    )
    database.executemany(
        "INSERT OR REPLACE INTO records (path, json, words, checksum) VALUES (?, ?, ?, ?)",
        [(entry.row.path, entry.json, entry.text, zlib.crc32(entry.json)) for entry in entries],
    )
    _store_configs(database, entries)


def _store_configs(database: sqlite3.Connection, entries: list[CacheEntry]) -> None:
    """Store which sections each config has, and those sections and keys that are new."""
    sections = {section.id: section for entry in entries for section in entry.config}
    keys = {key for section in sections.values() for key in section.keys}
    database.executemany(
        "INSERT OR REPLACE INTO configs (path, sections) VALUES (?, ?)",
        [(entry.row.path, msgspec.json.encode({s.name: s.id for s in entry.config})) for entry in entries],
    )
    database.executemany(
        "INSERT OR IGNORE INTO sections (id, name, json) VALUES (?, ?, ?)",
        [(section.id, section.name, section.json) for section in sections.values()],
    )
    database.executemany(
        "INSERT OR IGNORE INTO config_keys (words, is_reference) VALUES (?, ?)",
        [(msgspec.json.encode(key.words).decode(), key.is_reference) for key in keys],
    )


def _delete(database: sqlite3.Connection, paths: list[str]) -> None:
    for table in ("files", "runs", "records", "configs"):
        database.executemany(f"DELETE FROM {table} WHERE path = ?", [(path,) for path in paths])


def derive_statuses(database: sqlite3.Connection, outputs: Path, liveness: LivenessLoader) -> None:
    """Store the status to show for every run whose record says `running`."""
    running = database.execute(
        "SELECT path, shown, reason, json FROM runs JOIN records USING (path) WHERE status = 'running'"
    ).fetchall()
    if not running:
        return
    from mhc.runs import store
    from mhc.runs.liveness import with_derived_status

    policy = liveness()
    changes = []
    for path, shown, reason, content in running:
        folder = outputs / path
        derived = with_derived_status(store.decode(content, folder), folder, policy)
        if (derived.status.value, derived.status_reason) != (shown, reason):
            changes.append((derived.status.value, derived.status_reason, path))
    if changes:
        with connection.transaction(database):
            database.executemany("UPDATE runs SET shown = ?, reason = ? WHERE path = ?", changes)
