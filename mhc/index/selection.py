"""Select runs of the index by status, category, tag, name, location, time and `--where`, and read their fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from mhc.index.fields import COLUMNS, FieldValue, Kind, Path, resolve, split, value_at
from mhc.index.index import NEWEST_FIRST, READABLE, Condition, Counts, Index, Value, json_list
from mhc.index.query import Expression, FieldReader
from mhc.index.rows import Row

BATCH_SIZE = 2000
"""Records held in memory at once."""
INDEX_FIELDS = frozenset({"status", "status_reason", "location", "path", "age", "duration"})
"""First words of fields whose value the index derives; the record has an older value or none."""


class RunFilter(NamedTuple):
    """What a run must have to be selected; an empty field filters nothing."""

    statuses: tuple[str, ...] = ()
    """As shown, so that lost runs are found as lost."""
    categories: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """All of them."""
    name: str = ""
    """A part of the name, case-insensitive."""
    since: datetime | None = None
    """Created at this time or later."""
    where: Expression | None = None


class Sort(NamedTuple):
    """An order: numbers and times from the largest, texts from A; runs without a value come last."""

    path: Path
    kind: Kind
    reverse: bool = False

    @classmethod
    def by(cls, field: str, *, reverse: bool = False) -> Sort:
        """Return the order by a field that the user names.

        Raises:
            BadInput: if records have no such field.
        """
        return cls(*resolve(split(field)), reverse)

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return (self.kind is not Kind.TEXT) is not self.reverse


NEWEST = Sort(("created_at",), Kind.TIME)


class Selection:
    """The runs of the index that pass a filter."""

    def __init__(self, index: Index, run_filter: RunFilter, now: datetime) -> None:
        """Evaluate the `where` expression, if any; everything else is left to SQL."""
        self.index = index
        self.now = now
        self._condition = _condition(run_filter)
        if run_filter.where is not None:
            self._condition = self._evaluated(run_filter.where)

    def _evaluated(self, expression: Expression) -> Condition:
        """Return a condition that lists the selected runs for which `expression` holds."""
        rows = self.index.select(self._condition)
        readers = field_readers(self.index, rows, expression.paths, self.now)
        paths = [row.path for row, read in readers if expression.holds(read)]
        return Condition("path IN (SELECT value FROM json_each(?))", (json_list(paths),))

    def rows(self, sort: Sort = NEWEST, limit: int = 0) -> list[Row]:
        """Return the first `limit` (0: all) of the selected runs in that order."""
        column = COLUMNS.get(sort.path)
        if column is None:
            return self._sorted_by_value(sort, limit)
        direction = "DESC" if sort.descending else "ASC NULLS LAST"
        ties = "id" if column == "created" else NEWEST_FIRST
        return self.index.select(self._condition, f"{column} {direction}, {ties}", limit)

    def _sorted_by_value(self, sort: Sort, limit: int) -> list[Row]:
        rows = self.index.select(self._condition)
        numbers: list[tuple[float, Row]] = []
        texts: list[tuple[str, Row]] = []
        others: list[Row] = []
        for row, read in field_readers(self.index, rows, {sort.path}, self.now):
            match read(sort.path):
                case int() | float() as number:
                    numbers.append((number, row))
                case str() as text:
                    texts.append((text, row))
                case _:
                    others.append(row)
        numbers.sort(key=lambda pair: pair[0], reverse=sort.descending)
        texts.sort(key=lambda pair: pair[0], reverse=sort.descending)
        selected = [*(row for _, row in numbers), *(row for _, row in texts), *others]
        return selected[: limit or None]

    def counts(self) -> Counts:
        """Count the selected runs, by status, and the candidates among them."""
        return self.index.counts(self._condition)

    def records(self, rows: list[Row]) -> list[dict[str, object]]:
        """Return the records of these rows as `--json` prints them."""
        return record_dicts(self.index, rows)

    def values(self, rows: list[Row], paths: list[Path]) -> Iterator[list[object]]:
        """Yield the values of the fields `paths`, row by row."""
        for _, read in field_readers(self.index, rows, paths, self.now):
            yield [read(path) for path in paths]


def _condition(run_filter: RunFilter) -> Condition:
    """Return the condition of everything but the `where` expression."""
    conditions = [READABLE.sql]
    values: list[Value] = []
    for column, allowed in (
        ("shown", run_filter.statuses),
        ("category", run_filter.categories),
        ("location", run_filter.locations),
    ):
        if allowed:
            conditions.append(f"{column} IN ({', '.join('?' * len(allowed))})")
            values += allowed
    for tag in run_filter.tags:
        conditions.append("instr(char(10) || tags || char(10), char(10) || ? || char(10)) > 0")
        values.append(tag)
    if run_filter.name:
        conditions.append("instr(lower(name), lower(?)) > 0")
        values.append(run_filter.name)
    if run_filter.since is not None:
        conditions.append("created >= ?")
        values.append(run_filter.since.timestamp())
    return Condition(" AND ".join(conditions), tuple(values))


def field_readers(
    index: Index, rows: list[Row], paths: Collection[Path], now: datetime
) -> Iterator[tuple[Row, FieldReader]]:
    """Yield each row with a function that returns the value of any of the fields `paths`, and of no others."""
    if all(path in COLUMNS or path[0] in INDEX_FIELDS for path in paths):
        for row in rows:
            yield row, _row_reader(row, now)
        return
    decode = _partial_decoder({path[0] for path in paths} - INDEX_FIELDS)
    for row, content in with_json(index, rows):
        yield row, _record_reader(_row_reader(row, now), decode(content))


def _partial_decoder(groups: Collection[str]) -> Callable[[bytes], object]:
    """Return a decoder of these groups of a record, which is several times faster than decoding all of it."""
    partial = msgspec.defstruct("PartialRecord", [(group, Any, None) for group in groups])
    return msgspec.json.Decoder(partial).decode


def _record_reader(read_row: FieldReader, record: object) -> FieldReader:
    def read(path: Path) -> FieldValue:
        if path[0] in INDEX_FIELDS:
            return read_row(path)
        return value_at(getattr(record, path[0]), path[1:])

    return read


def _row_reader(row: Row, now: datetime) -> FieldReader:
    def read(path: Path) -> FieldValue:
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

    return read


def duration_of(row: Row, now: datetime) -> float | None:
    """Return the seconds from start to end; of a running run until now."""
    started = row.created if row.started is None else row.started
    if row.shown == "running" and started is not None:
        return now.timestamp() - started
    return row.duration


def record_dicts(index: Index, rows: list[Row]) -> list[dict[str, object]]:
    """Return the whole records of these rows, with the derived status, `location` and `path`."""
    records = []
    for row, content in with_json(index, rows):
        record: dict[str, object] = msgspec.json.decode(content)
        derived = {"status": row.shown, "status_reason": row.reason}
        records.append(record | derived | {"location": row.location, "path": str(index.folder(row.path))})
    return records


def with_json(index: Index, rows: list[Row]) -> Iterator[tuple[Row, bytes]]:
    """Yield each row that has a record, with the record as JSON."""
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        contents = index.record_json([row.path for row in batch])
        yield from ((row, contents[row.path]) for row in batch if row.path in contents)
