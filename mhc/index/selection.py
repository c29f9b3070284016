"""Select runs of the index by status, category, tag, name, location, time and `--where`, and read their fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from mhc.index.config_names import ConfigNames
from mhc.index.fields import COLUMNS, CONFIG, NO_NAMES, Kind, Path, resolve, split
from mhc.index.index import NEWEST_FIRST, READABLE, Condition, Counts, Index, json_list
from mhc.index.query import Expression
from mhc.index.records import field_readers, paths_by_config, record_dicts
from mhc.index.rows import Row, Value


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
    def by(cls, field: str, names: ConfigNames = NO_NAMES, *, reverse: bool = False) -> Sort:
        """Return the order by a field that the user names; `names` are those of the values in configs.

        Raises:
            BadInput: if there is no such field.
        """
        return cls(*resolve(split(field), names), reverse)

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
        if all(path[0] == CONFIG for path in expression.paths):
            paths = paths_by_config(self.index, self._condition, expression)
        else:
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

    def values(self, rows: Sequence[Row], paths: Sequence[Path]) -> Iterator[tuple[Row, list[object]]]:
        """Yield each row with the values of the fields `paths`."""
        for row, read in field_readers(self.index, list(rows), paths, self.now):
            yield row, [read(path) for path in paths]


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
