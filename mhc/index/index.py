"""The reader's cache `outputs/.index.sqlite`: filled by whoever reads, believed by nobody, deleted at will.

Opening it scans the folders and reads only the `run.json` whose inode, mtime or size changed. Training never writes
here. Where the file is torn it is made anew; where it cannot be written or is locked, the index lives in memory.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mhc.index import connection
from mhc.index.rows import Row
from mhc.index.scan import UNREADABLE, look_up, once, settled, stamp_of, tail_of

if TYPE_CHECKING:
    from mhc.policy import LivenessPolicy

AT_ONCE = 1000
"""Records read and written in one transaction."""
SETTLED = 2_000_000_000
"""Nanoseconds: a file younger than this is read again next time, since a change could leave its stamp as it is."""
LARGEST = 64_000_000
"""Bytes of a `run.json` that is still read."""
ONCE = """NOT (location = 'production' AND EXISTS (
    SELECT 1 FROM runs AS own WHERE own.id = runs.id AND own.location <> 'production'
))"""
"""SQL: a bundle holds a copy of its run's record; the run counts once as long as its own folder is there."""

Progress = Callable[[int, int], None]
"""Called with (records read, records to read)."""
Value = str | int | float | bytes | None
Liveness = Callable[[], "LivenessPolicy"]
"""Gives the policy; called only where a run says that it runs."""


class Entry(NamedTuple):
    """What is kept of one `run.json`."""

    stamp: str
    row: Row
    json: bytes
    """The record without white space; empty where it cannot be read."""
    words: str
    """What `search` looks through."""


class Index:
    """All runs of `outputs` and all bundles of `models`, as they were when the index was opened."""

    def __init__(self, outputs: Path, models: Path, liveness: Liveness, progress: Progress | None = None) -> None:
        """Bring the index up to date; runs that say `running` are looked at.

        Raises:
            BadConfig: where `liveness` cannot give a policy.
        """
        self.outputs = outputs
        self.models = models
        self._liveness = liveness
        self._progress = progress or (lambda done, total: None)
        self._database = self._up_to_date()

    def _up_to_date(self) -> sqlite3.Connection:
        """The first that works: the file, the file made anew (where it is torn), a database in memory."""
        for connect in (connection.connect, connection.connect_anew):
            try:
                return self._filled(connect(self.outputs))
            except sqlite3.Error as problem:
                if not connection.torn(problem):
                    break
        return self._filled(connection.connect_in_memory(self.outputs))

    def _filled(self, database: sqlite3.Connection) -> sqlite3.Connection:
        refresh(database, self.outputs, self.models, self._progress)
        derive(database, self.outputs, self._liveness)
        return database

    def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """The rows of one SELECT of ours; `values` are bound to its question marks."""
        values = [_utf8(value) if isinstance(value, str) else value for value in values]
        try:
            return self._database.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as problem:
            if not connection.torn(problem):
                raise
        self._database.close()
        self._database = self._filled(connection.connect_anew(self.outputs))
        return self._database.execute(sql, values).fetchall()

    def rows(self, condition: str = "1", values: Sequence[Value] = (), order: str = "created DESC, id") -> list[Row]:
        """Rows for which a condition of ours holds; the run of a bundle once."""
        sql = f"SELECT {', '.join(Row._fields)} FROM runs WHERE {ONCE} AND ({condition}) ORDER BY {order}"
        rows = [Row(*row) for row in self.query(sql, values)]  # type: ignore[arg-type]
        return once(self.outputs, rows)

    def unreadable(self) -> list[Row]:
        """Folders whose record cannot be read, with the reason."""
        return self.rows("error <> ''", order="path")

    def folder(self, path: str) -> Path:
        """The folder of a row's path."""
        return self.outputs / path

    def keep_config_words(self, words: Iterable[tuple[str, str]]) -> None:
        """Keep (path, text of its config in lower case) for the next search."""
        try:
            with connection.transaction(self._database):
                self._database.executemany("INSERT OR REPLACE INTO configs (path, words) VALUES (?, ?)", words)
        except sqlite3.OperationalError:  # locked or read-only: the next search reads the configs again
            return


def _utf8(text: str) -> str:
    """Bytes of the command line that are no UTF-8 come as lone surrogates, which SQLite does not take."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def refresh(database: sqlite3.Connection, outputs: Path, models: Path, progress: Progress) -> None:
    """Make the tables agree with the folders."""
    begun = time.time_ns()
    known: dict[str, str] = dict(database.execute("SELECT path, stamp FROM files"))
    seen = settled(outputs, models, known)
    if seen == known:
        return
    changed = [path for path, stamp in seen.items() if known.get(path) != stamp]
    gone = [path for path in known if path not in seen]
    for start in range(0, len(changed), AT_ONCE):
        batch = changed[start : start + AT_ONCE]
        entries = [(path, _entry(outputs, path, _settled(seen[path], begun))) for path in batch]
        moved = [place for path, entry in entries if entry is None for place in look_up(outputs, tail_of(path))]
        entries += [(place, _entry(outputs, place, "")) for place in moved]
        gone += [path for path, entry in entries if entry is None]
        with connection.transaction(database):
            _keep(database, [entry for _, entry in entries if entry is not None])
        progress(start + len(batch), len(changed))
    if gone:  # last, so that no other reader sees a run that moved at neither place
        _leave(database, outputs, gone)


def _leave(database: sqlite3.Connection, outputs: Path, gone: list[str]) -> None:
    """Forget what is not there any more, and keep it where it is now if no other reader has."""
    with connection.transaction(database):
        left = [path for path in gone if stamp_of(outputs / path) is None]
        _forget(database, left)
        kept = {path for (path,) in database.execute("SELECT path FROM files")}
        places = {place for path in left for place in look_up(outputs, tail_of(path))} - kept
        entries = [_entry(outputs, place, "") for place in places]
        _keep(database, [entry for entry in entries if entry is not None])


def _settled(stamp: str, begun: int) -> str:
    """The stamp to keep: none where the file is so young that it could change without its stamp changing."""
    if stamp == UNREADABLE or int(stamp.split(":")[1]) > begun - SETTLED:
        return ""
    return stamp


def _entry(outputs: Path, path: str, stamp: str) -> Entry | None:
    """Read one record; None where it went away meanwhile."""
    import msgspec

    from mhc.errors import Unreadable
    from mhc.index import rows
    from mhc.runs import store

    folder = outputs / path
    try:
        content = connection.read_plain(folder / store.RECORD, LARGEST)
        record = store.decode(content, folder)
    except FileNotFoundError:
        return None
    except OSError as problem:
        return Entry("", rows.row_of_unreadable(path, f"The record of {folder} cannot be read: {problem}"), b"", "")
    except Unreadable as problem:
        return Entry(stamp, rows.row_of_unreadable(path, str(problem)), b"", "")
    return Entry(stamp, rows.row_of(path, record), msgspec.json.format(content, indent=-1), rows.words_of(record))


def _keep(database: sqlite3.Connection, entries: list[Entry]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO files (path, stamp) VALUES (?, ?)", [(entry.row.path, entry.stamp) for entry in entries]
    )
    places = ", ".join("?" * len(Row._fields))
    database.executemany(
        f"INSERT OR REPLACE INTO runs ({', '.join(Row._fields)}) VALUES ({places})", [entry.row for entry in entries]
    )
    database.executemany(
        "INSERT OR REPLACE INTO records (path, json, words) VALUES (?, ?, ?)",
        [(entry.row.path, entry.json, entry.words) for entry in entries],
    )


def _forget(database: sqlite3.Connection, paths: list[str]) -> None:
    for table in ("files", "runs", "records", "configs"):
        database.executemany(f"DELETE FROM {table} WHERE path = ?", [(path,) for path in paths])


def derive(database: sqlite3.Connection, outputs: Path, liveness: Liveness) -> None:
    """Give every run that says `running` the status that is to be shown."""
    claimed = database.execute(
        "SELECT path, shown, reason, json FROM runs JOIN records USING (path) WHERE status = 'running'"
    ).fetchall()
    if not claimed:
        return
    from mhc.runs import store
    from mhc.runs.liveness import derived

    policy = liveness()
    changed = []
    for path, shown, reason, content in claimed:
        folder = outputs / path
        now = derived(store.decode(content, folder), folder, policy)
        if (now.status.value, now.status_reason) != (shown, reason):
            changed.append((now.status.value, now.status_reason, path))
    if changed:
        with connection.transaction(database):
            database.executemany("UPDATE runs SET shown = ?, reason = ? WHERE path = ?", changed)
