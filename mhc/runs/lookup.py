"""What stands on record of many runs: from the index's columns where they hold it, else from the records it keeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from mhc.runs.fields import COLUMNS, Found, Path, found_in
from mhc.runs.index import Index, Value
from mhc.runs.query import Lookup
from mhc.runs.rows import Row

AT_ONCE = 2000
"""Records held in memory."""
DERIVED = frozenset({"status", "status_reason", "location", "path", "age", "duration"})
"""First words that the index knows better than the record."""


def lookups(
    index: Index, condition: str, values: Sequence[Value], paths: Collection[Path], now: datetime
) -> Iterator[tuple[str, Lookup]]:
    """(path of the run, its lookup) of every row for which the condition of ours holds."""
    rows = index.rows(condition, values)
    for row, look in zip(rows, lookups_of(index, rows, paths, now), strict=True):
        yield row.path, look


def lookups_of(index: Index, rows: list[Row], paths: Collection[Path], now: datetime) -> Iterator[Lookup]:
    """A lookup for each row, that answers for `paths` and no others."""
    if all(path in COLUMNS or path[0] in DERIVED for path in paths):
        for row in rows:
            yield _in_row(row, now)
        return
    decode = _decoder_of({path[0] for path in paths} - DERIVED)
    for row, content in with_json(index, rows):
        yield _in_record(_in_row(row, now), decode(content))


def record_dicts(index: Index, rows: list[Row]) -> list[dict[str, object]]:
    """The whole records of these rows, with the derived status, and `location` and `path` added."""
    import msgspec

    made = []
    for row, content in with_json(index, rows):
        record: dict[str, object] = msgspec.json.decode(content)
        derived = {"status": row.shown, "status_reason": row.reason}
        made.append(record | derived | {"location": row.location, "path": str(index.folder(row.path))})
    return made


def with_json(index: Index, rows: list[Row]) -> Iterator[tuple[Row, bytes]]:
    """Each row that has a record, with the record's JSON."""
    import msgspec

    for start in range(0, len(rows), AT_ONCE):
        batch = rows[start : start + AT_ONCE]
        names = msgspec.json.encode([row.path for row in batch]).decode()
        found = index.query("SELECT path, json FROM records WHERE path IN (SELECT value FROM json_each(?))", [names])
        contents = {path: content for path, content in found if isinstance(content, bytes)}
        yield from ((row, contents[row.path]) for row in batch if contents.get(row.path))


def _decoder_of(words: Collection[str]) -> Callable[[bytes], object]:
    """Decodes only these groups of a record, which is several times faster than all of it."""
    import msgspec

    part = msgspec.defstruct("Part", [(word, Any, None) for word in words])
    return msgspec.json.Decoder(part).decode


def _in_record(derived: Lookup, record: object) -> Lookup:
    def look(path: Path) -> Found:
        if path[0] in DERIVED:
            return derived(path)
        return found_in(getattr(record, path[0]), path[1:])

    return look


def _in_row(row: Row, now: datetime) -> Lookup:
    def look(path: Path) -> Found:
        match path[0]:
            case "tags":
                return row.tags.split("\n") if row.tags else []
            case "pinned":
                return bool(row.pinned)
            case "promotion":
                return None if row.candidate is None else bool(row.candidate)
            case "age":
                return None if row.created is None else now.timestamp() - row.created
            case "duration":
                return lasted(row, now)
        return getattr(row, COLUMNS[path])

    return look


def lasted(row: Row, now: datetime) -> float | None:
    """Seconds from start to end, of a running run until now."""
    begun = row.created if row.started is None else row.started
    if row.shown == "running" and begun is not None:
        return now.timestamp() - begun
    return row.duration
