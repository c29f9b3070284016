"""Choose runs of the index: by status, category, tag, name, place and time, and by an expression of `--where`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mhc.index.fields import COLUMNS, Found, Kind, Path, found_in, resolve, split
from mhc.index.index import Index, Value
from mhc.index.query import Expression, Lookup
from mhc.index.rows import Row

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


ALL = 10**12
"""A limit that is none."""


class Wanted(NamedTuple):
    """What a run must have to be chosen; what is empty asks for nothing."""

    statuses: tuple[str, ...] = ()
    """As shown, so that lost runs are found as lost."""
    categories: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """All of them."""
    name: str = ""
    """A part of the name, in any case."""
    since: datetime | None = None
    """Made after."""
    where: Expression | None = None


class Sort(NamedTuple):
    """An order: numbers and times from the largest, texts from A; what is not on record comes last."""

    path: Path
    kind: Kind
    reverse: bool = False

    @classmethod
    def by(cls, field: str, reverse: bool = False) -> Sort:
        """Sort by a field that a person typed.

        Raises:
            BadInput: where no such field is on record.
        """
        return cls(*resolve(split(field)), reverse)

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return (self.kind is not Kind.TEXT) is not self.reverse


NEWEST = Sort(("created_at",), Kind.TIME)


class Counts(NamedTuple):
    """How many runs were chosen."""

    total: int
    by_status: dict[str, int]
    candidates: int


class Selection:
    """The chosen runs, not yet read."""

    def __init__(self, index: Index, wanted: Wanted, now: datetime) -> None:
        self.index = index
        self.now = now
        self._condition, self._values = _condition(wanted)
        if wanted.where is not None:
            self._narrow(wanted.where)

    def _narrow(self, expression: Expression) -> None:
        import msgspec

        found = lookups(self.index, self._condition, self._values, expression.paths, self.now)
        paths = [path for path, look in found if expression.holds(look)]
        self._condition = "path IN (SELECT value FROM json_each(?))"
        self._values = [msgspec.json.encode(paths).decode()]

    def rows(self, sort: Sort = NEWEST, limit: int = ALL) -> list[Row]:
        """The first `limit` of the chosen runs in that order."""
        from mhc.index.fields import COLUMNS

        column = COLUMNS.get(sort.path)
        if column is None:
            return self._sorted_by_value(sort, limit)
        way = "DESC" if sort.descending else "ASC NULLS LAST"
        then = "id" if column == "created" else "created DESC, id"
        order = f"{column} {way}, {then} LIMIT {int(limit)}"
        return self.index.rows(self._condition, self._values, order)

    def _sorted_by_value(self, sort: Sort, limit: int) -> list[Row]:
        found = lookups(self.index, self._condition, self._values, {sort.path}, self.now)
        keys = {path: look(sort.path) for path, look in found}
        rows = self.index.rows(self._condition, self._values)
        numeric = [row for row in rows if isinstance(keys.get(row.path), int | float)]
        others = [row for row in rows if isinstance(keys.get(row.path), str)]
        nothing = [row for row in rows if not isinstance(keys.get(row.path), int | float | str)]
        numeric.sort(key=lambda row: keys[row.path], reverse=sort.descending)  # type: ignore[arg-type, return-value]
        others.sort(key=lambda row: str(keys[row.path]), reverse=sort.descending)
        return [*numeric, *others, *nothing][:limit]

    def counts(self) -> Counts:
        """How many were chosen, by status, and how many of them are candidates."""
        from mhc.index.index import ONCE

        groups = self.index.query(
            f"SELECT shown, SUM(candidate IS 1), COUNT(*) FROM runs WHERE {ONCE} AND ({self._condition})"
            " GROUP BY shown ORDER BY COUNT(*) DESC, shown",
            self._values,
        )
        by_status = {str(status): _count(count) for status, _, count in groups}
        return Counts(sum(by_status.values()), by_status, sum(_count(flagged) for _, flagged, _ in groups))

    def records(self, rows: list[Row]) -> list[dict[str, object]]:
        """The records of these rows as `--json` gives them."""
        return record_dicts(self.index, rows)

    def values(self, rows: list[Row], paths: list[Path]) -> Iterator[list[object]]:
        """What stands under `paths` in each of the rows."""
        for look in lookups_of(self.index, rows, paths, self.now):
            yield [look(path) for path in paths]


def _count(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _condition(wanted: Wanted) -> tuple[str, list[Value]]:
    """SQL of ours with question marks, and what is bound to them."""
    parts, values = ["+error = ''"], list[Value]()  # the plus: nearly all have no error, so no index helps with that
    for column, allowed in (
        ("shown", wanted.statuses),
        ("category", wanted.categories),
        ("location", wanted.locations),
    ):
        if allowed:
            parts.append(f"{column} IN ({', '.join('?' * len(allowed))})")
            values += allowed
    for tag in wanted.tags:
        parts.append("instr(char(10) || tags || char(10), char(10) || ? || char(10)) > 0")
        values.append(tag)
    if wanted.name:
        parts.append("instr(lower(name), lower(?)) > 0")
        values.append(wanted.name)
    if wanted.since is not None:
        parts.append("created >= ?")
        values.append(wanted.since.timestamp())
    return " AND ".join(parts), values
