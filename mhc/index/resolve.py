"""Resolve a run of the index from what the user types, by the rules of `mhc.runs.resolve`, in SQL."""

from __future__ import annotations

import os

from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.runs.resolve import MAX_LENGTH, ambiguous, not_found, patterns


def find(index: Index, text: str) -> Row:
    """Return the one run that `text` names: see `mhc.runs.resolve.patterns`, or the path of its folder.

    Raises:
        NotFound: if no run fits; suggests the nearest ids.
        Conflict: if several runs fit; lists them.
    """
    rows = _by_path(index, text) if "/" in text else _by_id(index, text)
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise ambiguous(text, [row.id for row in rows], [row.path for row in rows])
    raise not_found(text, index.outputs, index.ids_to_suggest(text))


def _by_id(index: Index, text: str) -> list[Row]:
    for pattern in patterns(text):
        rows = index.matching(pattern)
        if rows:
            return rows
    return []


def _by_path(index: Index, text: str) -> list[Row]:
    """Return the run at a path, relative to outputs or to the working directory; only scanned folders are found."""
    if len(text) > MAX_LENGTH or "\0" in text:
        return []
    absolute = os.path.realpath(text)
    inside = os.path.relpath(absolute, os.path.realpath(index.outputs))
    return index.at_paths([text.strip("/"), inside, absolute])
