"""Resolve a run of the index from what the user types: `mhc.runs.resolve`'s rules, asked in SQL."""

from __future__ import annotations

import os

from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.runs.resolve import MAX_LENGTH, Pattern, ambiguous, not_found, patterns

END_OF_TEXT = chr(0x10FFFF)


def find(index: Index, given: str) -> Row:
    """Return the one run that `given` names: see `mhc.runs.resolve.patterns`, or the path of its folder.

    Raises:
        NotFound: if no run fits; suggests the nearest ids.
        Conflict: if several runs fit; lists them.
    """
    rows = _by_path(index, given) if "/" in given else _by_id(index, given)
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise ambiguous(given, [row.id for row in rows], [row.path for row in rows])
    raise not_found(given, index.outputs, _near(index, given))


def _by_id(index: Index, given: str) -> list[Row]:
    for pattern in patterns(given):
        rows = index.rows(*_condition(pattern))
        if rows:
            return rows
    return []


def _condition(pattern: Pattern) -> tuple[str, list[str | int]]:
    """Return the SQL condition of a pattern; by the index `by_id` unless only the end of the id is given."""
    start, end, whole = pattern
    if whole:
        return "id = ?", [start]
    parts, values = list[str](), list[str | int]()
    if start:
        parts.append("id >= ? AND id < ?")
        values += [start, start + END_OF_TEXT]
    if end:
        parts.append("substr(id, ?) = ?")
        values += [-len(end), end]
    return " AND ".join(parts) or "1", values


def _by_path(index: Index, given: str) -> list[Row]:
    """Return the run at a path, relative to outputs or to the working directory; only scanned folders are found."""
    if len(given) > MAX_LENGTH or "\0" in given:
        return []
    whole = os.path.realpath(given)
    inside = os.path.relpath(whole, os.path.realpath(index.outputs))
    return index.rows("path IN (?, ?, ?)", [given.strip("/"), inside, whole])


def _near(index: Index, given: str) -> list[str]:
    """Return ids to suggest: those that begin alike and the newest, since comparing all would take seconds."""
    alike = index.query("SELECT id FROM runs WHERE id >= ? AND id < ? LIMIT 2000", [given[:3], given[:3] + END_OF_TEXT])
    newest = index.query("SELECT id FROM runs ORDER BY created DESC LIMIT 2000")
    return [str(row[0]) for row in [*alike, *newest]]


def starting_with(index: Index, beginning: str, limit: int = 200) -> list[str]:
    """Return the ids that begin with `beginning`, newest first: for completion by a shell."""
    rows = index.query(
        "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY created DESC LIMIT ?",
        [beginning, beginning + END_OF_TEXT, limit],
    )
    return list(dict.fromkeys(str(row[0]) for row in rows))
