"""Records and configs of selected runs, from the index: whole, as `--json` prints them, or field by field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mhc.index.config_names import ConfigNames
from mhc.index.fields import COLUMNS, CONFIG, FieldValue, Path, value_at
from mhc.index.index import Condition, Index, json_list
from mhc.index.query import Expression, FieldReader
from mhc.index.rows import Row

BATCH_SIZE = 2000
"""Records held in memory at once."""
_SECTION_IDS = msgspec.json.Decoder(dict[str, int])
_WORDS = msgspec.json.Decoder(tuple[str, ...])
INDEX_FIELDS = frozenset({"status", "status_reason", "location", "path", "age", "duration"})
"""First words of fields whose value the index derives; the record has an older value or none."""

Config = Mapping[str, object]
"""The config of a run, or some of its sections; empty if none is recorded."""


def record_dicts(index: Index, rows: list[Row]) -> list[dict[str, object]]:
    """Return the whole records of these rows, see `with_record`."""
    return [record for _, record in with_record(index, rows)]


def with_record(index: Index, rows: list[Row]) -> list[tuple[Row, dict[str, object]]]:
    """Return each row that has a record with it: the derived status, and `location`, `path` and `config` are added."""
    records = []
    configs = with_config(index, rows)
    for row, content in with_json(index, rows):
        config = next(config for other, config in configs if other is row)  # both in the order of the rows
        record: dict[str, object] = msgspec.json.decode(content)
        derived = {"status": row.shown, "status_reason": row.reason}
        place = {"location": row.location, "path": str(index.folder(row.path))}
        records.append((row, record | derived | place | {CONFIG: config}))
    return records


def with_json(index: Index, rows: list[Row]) -> Iterator[tuple[Row, bytes]]:
    """Yield each row that has a record, with the record as JSON."""
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        contents = index.record_json([row.path for row in batch])
        yield from ((row, contents[row.path]) for row in batch if row.path in contents)


def with_config(index: Index, rows: list[Row], sections: Collection[str] | None = None) -> Iterator[tuple[Row, Config]]:
    """Yield each row with those sections (None: all) of its config that it has."""
    decoded: dict[int, object] = {}
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        stored = section_ids(index, [row.path for row in batch])
        selected = [_selected(stored.get(row.path, {}), sections) for row in batch]
        new = {section for ids in selected for section in ids.values()} - decoded.keys()
        decoded |= {section: value for section, _, value in sections_by_id(index, new)}
        for row, ids in zip(batch, selected, strict=True):
            yield row, {name: decoded.get(section) for name, section in ids.items()}


def paths_by_config(index: Index, condition: Condition, expression: Expression) -> list[str]:
    """Return the paths of the runs that satisfy a condition, and an expression about nothing but their configs.

    The expression is evaluated once for each distinct combination of the sections that it names.
    """
    names = sorted({path[1] for path in expression.paths})
    sql = f"SELECT path, sections FROM runs LEFT JOIN configs USING (path) WHERE {condition.sql}"
    ids = index.converted(
        lambda rows: {
            str(path): _ids_of(_SECTION_IDS.decode(stored) if isinstance(stored, bytes) else {}, names)
            for path, stored in rows
        },
        sql,
        condition.values,
    )
    distinct = set(ids.values())
    sections = {section for combination in distinct for section in combination if section is not None}
    values: dict[int | None, object] = {section: value for section, _, value in sections_by_id(index, sections)}
    holds = {
        combination: expression.holds(
            _config_reader({name: values.get(section) for name, section in zip(names, combination, strict=True)})
        )
        for combination in distinct
    }
    return [path for path, combination in ids.items() if holds[combination]]


def _ids_of(ids: Mapping[str, int], names: Sequence[str]) -> tuple[int | None, ...]:
    return tuple(ids.get(name) for name in names)


def _config_reader(config: Config) -> FieldReader:
    return lambda path: value_at(config, path[1:])


def config_names(index: Index) -> ConfigNames:
    """Return the names of all values in the configs of the runs."""
    return index.converted(
        lambda rows: ConfigNames.of((_WORDS.decode(str(words)), bool(is_reference)) for words, is_reference in rows),
        "SELECT words, is_reference FROM config_keys",
    )


def section_ids(index: Index, paths: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the ids of the sections of each config by their names, by the path of the run."""
    return index.converted(
        lambda rows: {str(path): _SECTION_IDS.decode(ids) for path, ids in rows if isinstance(ids, bytes)},
        "SELECT path, sections FROM configs WHERE path IN (SELECT value FROM json_each(?))",
        [json_list(paths)],
    )


def sections_by_id(index: Index, ids: Collection[int]) -> list[tuple[int, str, object]]:
    """Return the id, name and value of distinct sections."""
    return index.converted(
        lambda rows: [
            (section, str(name), msgspec.json.decode(content))
            for section, name, content in rows
            if isinstance(section, int) and isinstance(content, bytes)
        ],
        "SELECT id, name, json FROM sections WHERE id IN (SELECT value FROM json_each(?))",
        [msgspec.json.encode(list(ids)).decode()],
    )


def _selected(ids: dict[str, int], sections: Collection[str] | None) -> dict[str, int]:
    return ids if sections is None else {name: ids[name] for name in sections if name in ids}


def field_readers(
    index: Index, rows: list[Row], paths: Collection[Path], now: datetime
) -> Iterator[tuple[Row, FieldReader]]:
    """Yield each row with a function that returns the value of any of the fields `paths`, and of no others."""
    sections = {path[1] for path in paths if path[0] == CONFIG}
    groups = {path[0] for path in paths if not _is_in_row(path) and path[0] != CONFIG}
    configs = with_config(index, rows, sections) if sections else ((row, {}) for row in rows)
    if not groups:
        yield from ((row, _reader(row, now, None, config)) for row, config in configs)
        return
    decode = _partial_decoder(groups)
    for row, content in with_json(index, rows):
        config = next(config for other, config in configs if other is row)  # both in the order of the rows
        yield row, _reader(row, now, decode(content), config)


def _partial_decoder(groups: Collection[str]) -> Callable[[bytes], object]:
    """Return a decoder of these groups of a record, which is several times faster than decoding all of it."""
    partial = msgspec.defstruct("PartialRecord", [(group, Any, None) for group in groups])
    return msgspec.json.Decoder(partial).decode


def _is_in_row(path: Path) -> bool:
    return path in COLUMNS or path[0] in INDEX_FIELDS


def _reader(row: Row, now: datetime, record: object, config: Config) -> FieldReader:
    def read(path: Path) -> FieldValue:
        if path[0] == CONFIG:
            return value_at(config, path[1:])
        if _is_in_row(path):
            return _row_value(row, path, now)
        return value_at(getattr(record, path[0]), path[1:])

    return read


def _row_value(row: Row, path: Path, now: datetime) -> FieldValue:
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
            return duration_of(row, now)
    return getattr(row, COLUMNS[path])


def duration_of(row: Row, now: datetime) -> float | None:
    """Return the seconds from start to end; of a running run until now."""
    started = row.created if row.started is None else row.started
    if row.shown == "running" and started is not None:
        return now.timestamp() - started
    return row.duration
