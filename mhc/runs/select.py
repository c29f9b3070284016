"""Choose runs of the index: by status, category, tag, name, place and time, and by an expression of `--where`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from mhc.runs.fields import Kind, Path, resolve, split
from mhc.runs.index import Index, Value
from mhc.runs.lookup import lookups, record_dicts
from mhc.runs.query import Expression
from mhc.runs.rows import Row

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
        from mhc.runs.fields import COLUMNS

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
        from mhc.runs.index import ONCE

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
        from mhc.runs.lookup import lookups_of

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
