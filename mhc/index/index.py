"""The cache `outputs/.index.sqlite`: filled by readers, never authoritative, safe to delete.

Opening it scans the folders and reads only the `run.json` whose inode, mtime or size changed. Training never writes
here. A damaged file is recreated; if the file cannot be written or is locked, the index is built in memory.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from mhc.errors import BadConfig
from mhc.index import connection
from mhc.index.refresh import LivenessLoader, derive_statuses, refresh
from mhc.index.rows import Row, Value, records_of, rows_of
from mhc.index.scan import without_duplicates

if TYPE_CHECKING:
    from mhc.index.update import Progress
    from mhc.runs.resolve import Pattern

T = TypeVar("T")

END_OF_TEXT = chr(0x10FFFF)
"""The last character: texts that begin with X are between X and X + END_OF_TEXT, which an SQL index can look up."""
MAX_SUGGESTIONS = 2000
"""Ids of each sort that are compared with a mistyped one."""

_COUNTED_ONCE = """NOT (location = 'production' AND EXISTS (
    SELECT 1 FROM runs AS own WHERE own.id = runs.id AND own.location <> 'production'
))"""
"""A bundle holds a copy of its run's record; the run counts once as long as its own folder exists."""


class Condition(NamedTuple):
    """An SQL condition on the table of runs; the SQL is constant, values of the user are bound to its parameters."""

    sql: str
    values: tuple[Value, ...] = ()


ANY = Condition("1")
READABLE = Condition("+error = ''")
"""The plus excludes the error from the choice of an SQL index: nearly all runs are readable."""
READABLE_BY_INDEX = Condition("error = ''")
"""The same by the SQL index `counted`, which has all columns of the counts."""
NEWEST_FIRST = "created DESC, id"
BEST_FIRST = "val_f1_macro DESC NULLS LAST, created DESC"
"""By validation: an order by test would make the best test score one that was picked."""
_DATA_SET = "COALESCE(val_data, data, '')"


class Counts(NamedTuple):
    """Numbers of runs."""

    total: int
    by_status: dict[str, int]
    """By the status that is shown; most frequent first."""
    candidates: int


class Index:
    """All runs of `outputs` and all bundles of `models`, as they were when the index was opened."""

    def __init__(self, outputs: Path, models: Path, liveness: LivenessLoader, progress: Progress | None = None) -> None:
        """Bring the index up to date and check whether the runs whose record says `running` are alive.

        Raises:
            BadConfig: if `liveness` cannot load a policy.
        """
        self.outputs = outputs
        self.models = models
        self._liveness = liveness
        self._progress = progress or (lambda done, total: None)
        self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        """Return the first of these that works: the file, a new file if it is damaged, a database in memory."""
        attempts = [connection.connect, connection.recreate, connection.connect_in_memory]
        while attempts:
            try:
                return self._updated(attempts.pop(0)(self.outputs))
            except BadConfig:
                raise
            except Exception as problem:  # damaged content leads to any error
                if not connection.is_damaged(problem):
                    attempts = attempts[-1:]
        return self._updated(connection.empty_in_memory())

    def _updated(self, database: sqlite3.Connection) -> sqlite3.Connection:
        refresh(database, self.outputs, self.models, self._progress)
        derive_statuses(database, self.outputs, self._liveness)
        return database

    def folder(self, path: str) -> Path:
        """Return the folder of a row's path."""
        return self.outputs / path

    def rows(self) -> list[Row]:
        """Return all runs, newest first, including those whose record cannot be read."""
        return self.select()

    def readable(self) -> list[Row]:
        """Return the runs whose record can be read, newest first."""
        return self.select(READABLE)

    def unreadable(self) -> list[Row]:
        """Return the folders whose record cannot be read, with the reason."""
        return self.select(Condition("error <> ''"), "path")

    def running(self) -> list[Row]:
        """Return the runs that are running, newest first."""
        return self.select(Condition("error = '' AND shown = 'running'"))

    def candidates(self, limit: int = 0) -> list[Row]:
        """Return the candidates for promotion, see `_ranked`."""
        return self._ranked("error = '' AND candidate = 1", limit)

    def non_candidates(self, limit: int = 0) -> list[Row]:
        """Return the completed runs that are not candidates, see `_ranked`."""
        return self._ranked("error = '' AND shown = 'completed' AND candidate IS NOT 1", limit)

    def best(self, limit: int) -> list[Row]:
        """Return the completed baseline runs that have a score on validation, see `_ranked`."""
        completed = "error = '' AND shown = 'completed' AND category = 'baseline'"
        return self._ranked(f"{completed} AND val_f1_macro IS NOT NULL", limit)

    def _ranked(self, condition: str, limit: int) -> list[Row]:
        """Return runs by data set, that of the newest run first, and within it by macro-F1 on validation, best first.

        Scores on different data have no order. At most `limit` runs (0: all) of each data set.
        """
        places = f"""SELECT path FROM (
            SELECT path, ROW_NUMBER() OVER (PARTITION BY {_DATA_SET} ORDER BY {BEST_FIRST}) AS place
            FROM runs WHERE {_COUNTED_ONCE} AND ({condition})
        ) WHERE ? = 0 OR place <= ?"""
        order = f"MAX(created) OVER (PARTITION BY {_DATA_SET}) DESC, {_DATA_SET}, {BEST_FIRST}"
        return self.select(Condition(f"path IN ({places})", (limit, limit)), order)

    def seed_group(self, key: str) -> list[Row]:
        """Return the runs whose configs differ only in the seed, newest first."""
        return self.select(Condition("grp = ?", (key,)))

    def changed_since(self, time: float, limit: int = 0) -> list[Row]:
        """Return the runs with an event after `time` (Unix seconds; 0: any), last changed first (limit 0: all)."""
        return self.select(Condition(f"{READABLE.sql} AND (changed > ? OR ? = 0)", (time, time)), "changed DESC", limit)

    def at_paths(self, paths: Sequence[str]) -> list[Row]:
        """Return the runs in these folders."""
        return self.select(Condition(f"path IN ({', '.join('?' * len(paths))})", tuple(paths)))

    def matching(self, pattern: Pattern) -> list[Row]:
        """Return the runs whose id fits a pattern; by the SQL index `by_id` unless only the end of the id is given."""
        start, end, whole = pattern
        if whole:
            return self.select(Condition("id = ?", (start,)))
        conditions: list[str] = []
        values: list[Value] = []
        if start:
            conditions.append("id >= ? AND id < ?")
            values += [start, start + END_OF_TEXT]
        if end:
            conditions.append("substr(id, ?) = ?")
            values += [-len(end), end]
        return self.select(Condition(" AND ".join(conditions) or "1", tuple(values)))

    def ids_starting_with(self, prefix: str, limit: int = 200) -> list[str]:
        """Return the ids with this beginning, newest first."""
        rows = self.query(
            "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY created DESC LIMIT ?",
            [prefix, prefix + END_OF_TEXT, limit],
        )
        return list(dict.fromkeys(str(run_id) for (run_id,) in rows))

    def ids_to_suggest(self, text: str) -> list[str]:
        """Return ids that `text` may mean: with the same first letters, and the newest; all would take seconds."""
        similar = self.query(
            "SELECT id FROM runs WHERE id >= ? AND id < ? LIMIT ?", [text[:3], text[:3] + END_OF_TEXT, MAX_SUGGESTIONS]
        )
        newest = self.query("SELECT id FROM runs ORDER BY created DESC LIMIT ?", [MAX_SUGGESTIONS])
        return [str(run_id) for (run_id,) in [*similar, *newest]]

    def counts(self, condition: Condition = READABLE_BY_INDEX) -> Counts:
        """Count the runs that satisfy a condition, by status, and the candidates among them."""
        groups = self.query(
            f"SELECT shown, SUM(candidate IS 1), COUNT(*) FROM runs WHERE {_COUNTED_ONCE} AND ({condition.sql})"
            " GROUP BY shown ORDER BY COUNT(*) DESC, shown",
            condition.values,
        )
        by_status = {str(status): int(count or 0) for status, _, count in groups}
        return Counts(sum(by_status.values()), by_status, sum(int(candidates or 0) for _, candidates, _ in groups))

    def category_counts(self) -> dict[str, int]:
        """Count the readable runs by category, most frequent first."""
        return self._count_by("category")

    def location_counts(self) -> dict[str, int]:
        """Count the readable runs by location, most frequent first."""
        return self._count_by("location")

    def _count_by(self, column: str) -> dict[str, int]:
        groups = self.query(
            f"SELECT {column}, COUNT(*) FROM runs WHERE {_COUNTED_ONCE} AND error = ''"
            f" GROUP BY {column} ORDER BY COUNT(*) DESC, {column}"
        )
        return {"none" if value is None else str(value): int(count or 0) for value, count in groups}

    def record_json(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the records as JSON, by path; without those that cannot be read."""
        sql = "SELECT path, json, checksum FROM records WHERE path IN (SELECT value FROM json_each(?))"
        values = [json_list(paths)]
        try:
            return self.converted(partial(records_of, expected=paths), sql, values)
        except ValueError:  # still missing in the new index: another process has moved the run meanwhile
            return self.converted(records_of, sql, values)

    def record_texts(self) -> dict[str, str]:
        """Return the text of each record that is searched, by path."""
        return {str(path): str(text) for path, text in self.query("SELECT path, words FROM records")}

    def repeated_ids(self) -> dict[str, list[str]]:
        """Return the ids that several run folders have, with the paths of these folders; a bundle is no run folder."""
        ids = [run_id for (run_id,) in self.query("SELECT id FROM runs GROUP BY id HAVING COUNT(*) > 1")]
        condition = f"{READABLE.sql} AND location <> 'production' AND id IN (SELECT value FROM json_each(?))"
        rows = self.select(Condition(condition, (json_list(list(map(str, ids))),)), "id, path") if ids else []
        counts = Counter(row.id for row in rows)
        return {run_id: [row.path for row in rows if row.id == run_id] for run_id in counts if counts[run_id] > 1}

    def sweep(self, sweep_id: str) -> list[Row]:
        """Return the readable runs of the one sweep whose id begins with `sweep_id`; none if several do."""
        rows = self.select(
            Condition(f"{READABLE.sql} AND sweep >= ? AND sweep < ?", (sweep_id, sweep_id + END_OF_TEXT))
        )
        exact = [row for row in rows if row.sweep == sweep_id]
        return exact or (rows if len({row.sweep for row in rows}) == 1 else [])

    def select(self, condition: Condition = ANY, order: str = NEWEST_FIRST, limit: int = 0) -> list[Row]:
        """Return the rows that satisfy a condition, each run once; for the queries above and `mhc.index.selection`."""
        rows = self.converted(
            rows_of,
            f"SELECT {', '.join(Row._fields)}, checksum FROM runs WHERE {_COUNTED_ONCE} AND ({condition.sql})"
            f" ORDER BY {order} LIMIT ?",
            [*condition.values, limit or -1],
        )
        return without_duplicates(self.outputs, rows)

    def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Return the rows of a SELECT. Not for commands."""
        return self.converted(list, sql, values)

    def converted(self, convert: Callable[[list[tuple[Value, ...]]], T], sql: str, values: Sequence[Value] = ()) -> T:
        """Return what `convert` makes of the rows of a SELECT. Not for commands.

        If it or the SELECT fails, the file of the index is damaged, and is created again.
        """
        values = [_utf8(value) if isinstance(value, str) else value for value in values]
        try:
            return convert(self._database.execute(sql, values).fetchall())
        except Exception as problem:
            if not connection.is_damaged(problem):
                raise
        self._database.close()
        self._database = self._updated(connection.recreate(self.outputs))
        return convert(self._database.execute(sql, values).fetchall())


def json_list(texts: Sequence[str]) -> str:
    """Return texts as JSON, for `json_each`: SQLite limits the number of parameters."""
    return msgspec.json.encode(texts).decode()


def _utf8(text: str) -> str:
    """Return `text` without lone surrogates (bytes of the command line that are not UTF-8), which SQLite rejects."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
