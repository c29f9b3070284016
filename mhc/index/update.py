"""Read the records that have changed, and store them in the tables of the index. Not imported if none has."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from mhc import files, redaction
from mhc.errors import Unreadable
from mhc.facts import Metrics
from mhc.index import config_sections, connection
from mhc.index.config_sections import Section
from mhc.index.rows import Row, checksum
from mhc.index.scan import UNREADABLE, active_path, locate, stamp_of
from mhc.record import RECORD_FILE, RunRecord, location_of
from mhc.runs import store
from mhc.timestamps import parse_unix

BATCH_SIZE = 1000
"""Records read and written in one transaction."""
MIN_AGE_NS = 2_000_000_000
"""A file younger than this is read again next time, because it could change without a change of its stamp."""

Progress = Callable[[int, int], None]
"""Called with (records read, records to read)."""


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


def update(
    database: sqlite3.Connection,
    outputs: Path,
    stamps: Mapping[str, str],
    stored: Mapping[str, str],
    started: int,
    progress: Progress,
) -> None:
    """Read every record whose stamp is not the stored one, and remove the runs without a stamp.

    `started` is the time in nanoseconds before the stamps were taken.
    """
    changed = [path for path, stamp in stamps.items() if stored.get(path) != stamp]
    missing = [path for path in stored if path not in stamps]
    for start in range(0, len(changed), BATCH_SIZE):
        batch = changed[start : start + BATCH_SIZE]
        entries = {path: read_entry(outputs, path, _stamp_to_store(stamps[path], started)) for path in batch}
        disappeared = [path for path, entry in entries.items() if entry is None]
        for path in _locations(outputs, disappeared):
            entries[path] = entries.get(path) or read_entry(outputs, path, "")
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
        entries = [read_entry(outputs, path, "") for path in _locations(outputs, missing) - stored]
        _store(database, [entry for entry in entries if entry is not None])


def _locations(outputs: Path, paths: list[str]) -> set[str]:
    """Return the current paths of runs that were at `paths`."""
    return {location for path in paths for location in locate(outputs, active_path(path))}


def _stamp_to_store(stamp: str, started: int) -> str:
    """Return the stamp; empty if the file is so young that it could change without a change of its stamp."""
    if stamp == UNREADABLE or int(stamp.split(":")[1]) > started - MIN_AGE_NS:
        return ""
    return stamp


def read_entry(outputs: Path, path: str, stamp: str) -> CacheEntry | None:
    """Read one record; None if it has disappeared."""
    folder = outputs / path
    try:
        with files.reading(f"The record of {folder}"):
            content = files.read(folder / RECORD_FILE, follow_links=False)
        record = store.decode(content, folder)
    except FileNotFoundError:
        return None
    except Unreadable as problem:
        stamp = "" if isinstance(problem.__cause__, OSError) else stamp
        return CacheEntry(stamp, row_of_unreadable(path, str(problem)), b"", "")
    safe = without_secrets(record)
    json = msgspec.json.format(content, indent=-1) if safe is record else msgspec.json.encode(safe)
    config = config_sections.read(folder, record.lineage.overrides)
    return CacheEntry(stamp, row_of(path, safe), json, text_of(safe), config)


def _store(database: sqlite3.Connection, entries: list[CacheEntry]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO files (path, stamp) VALUES (?, ?)", [(entry.row.path, entry.stamp) for entry in entries]
    )
    marks = ", ".join("?" * (len(Row._fields) + 1))
    stored = [as_stored(entry.row) for entry in entries]
    database.executemany(
        f"INSERT OR REPLACE INTO runs ({', '.join(Row._fields)}, checksum) VALUES ({marks})",
        [(*values, checksum(values)) for values in stored],
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


def as_stored(row: Row) -> Sequence[object]:
    """Return the values of a row as SQLite returns them: no booleans, no negative zero."""
    return [
        int(value) if isinstance(value, bool) else value + 0.0 if isinstance(value, float) else value for value in row
    ]


def row_of(path: str, record: RunRecord) -> Row:
    """Return the row of a record."""
    created, started, ended = (parse_unix(at) for at in (record.created_at, record.started_at, record.ended_at))
    start = created if started is None else started
    event_times = [time for event in record.history[-3:] if (time := parse_unix(event.at)) is not None]
    test, val = (split or Metrics() for split in (record.metrics.test, record.metrics.val))
    folds = record.data.folds if record.data else None
    fold = folds.fold if folds else None
    return Row(
        path=path,
        location=location_of(path).value,
        error="",
        id=record.id,
        name=record.name,
        status=record.status.value,
        shown=record.status.value,
        reason=record.status_reason,
        category=record.category.value if record.category else None,
        created=created,
        started=started,
        ended=ended,
        changed=max(event_times, default=created),
        duration=None if ended is None or start is None else ended - start,
        sweep=record.sweep.id if record.sweep else None,
        grp=record.group or None,
        seed=_int64(record.seed),
        model=record.model.name if record.model else None,
        parameters=_int64(record.model.parameters if record.model else None),
        accuracy=test.accuracy,
        f1_macro=test.f1_macro,
        val_accuracy=val.accuracy,
        val_f1_macro=val.f1_macro,
        candidate=record.promotion.candidate,
        pinned=record.pinned,
        tags="\n".join(record.tags),
        data=record.data.name if record.data else None,
        val_data=_fingerprint(record, "val") if fold is None or folds is None else folds.fingerprint[:16],
        test_data=_fingerprint(record, "test"),
        fold=_int64(fold),
    )


def _fingerprint(record: RunRecord, split: str) -> str | None:
    facts = record.data.splits.get(split) if record.data else None
    return facts.fingerprint[:16] if facts else None


def row_of_unreadable(path: str, reason: str) -> Row:
    """Return the row of a folder whose record cannot be read: its path and the reason."""
    name = path.rsplit("/", 1)[-1]
    empty = dict.fromkeys(Row._fields) | dict.fromkeys(("status", "shown", "reason", "tags"), "") | {"pinned": 0}
    identity = {"path": path, "location": location_of(path).value, "error": reason, "id": name, "name": name}
    return Row(**empty | identity)  # type: ignore[arg-type]


def without_secrets(record: RunRecord) -> RunRecord:
    """Return the record with masked credentials in its overrides and its command; an older version recorded them."""
    lineage, sweep = record.lineage, record.sweep
    command, overrides = (list(map(_masked, words)) for words in (lineage.command, lineage.overrides))
    jobs = list(map(_masked, sweep.overrides)) if sweep else []
    if (command, overrides, jobs) == (lineage.command, lineage.overrides, sweep.overrides if sweep else []):
        return record
    return replace(
        record,
        lineage=replace(lineage, command=command, overrides=overrides),
        sweep=sweep and replace(sweep, overrides=jobs),
    )


@lru_cache(20_000)
def _masked(word: str) -> str:
    return redaction.override(word)


def text_of(record: RunRecord) -> str:
    """Return the text that `search` searches besides the config: in lower case, one value per line."""
    texts = [record.id, record.name, record.description, record.note, *record.tags, *record.lineage.overrides]
    return "\n".join(texts).lower()


def _int64(value: int | None) -> int | None:
    """Return the value; None if it is too large for SQLite, whose integers have 64 bits."""
    return value if value is not None and abs(value) < 2**63 else None
