"""From what a person types to a run: a whole id, its beginning, its end, a shortened one, or a path inside outputs."""

from __future__ import annotations

import os
from pathlib import Path

from mhc.errors import Conflict, NotFound
from mhc.index.index import Index
from mhc.index.rows import Row

LONGEST = 300
"""Characters that an id or a path can have; what is longer is no run's."""
LISTED = 10
"""Choices that are listed where several runs fit."""
END_OF_TEXT = chr(0x10FFFF)


def find(index: Index, given: str) -> Row:
    """The one run that `given` names.

    The first of these that fits anything decides: the whole id; its beginning; its end (`a1b2`); beginning and end
    around an ellipsis, as `list` shows ids on a narrow terminal; the path of the folder.

    Raises:
        NotFound: where nothing fits; suggests what is near.
        Conflict: where several runs fit; lists them.
    """
    fitting = _fitting(index, given) if 0 < len(given) <= LONGEST else []
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise Conflict(_choices(index, given, fitting))
    shown = given if len(given) <= 80 else given[:79] + "…"
    raise NotFound(f"No run {shown!r} in {index.outputs}.{_suggestion(index, given[:80])}")


def _fitting(index: Index, given: str) -> list[Row]:
    if "/" in given:
        return _by_path(index, given)
    found = index.rows("id = ?", [given]) or index.rows("id >= ? AND id < ?", [given, given + END_OF_TEXT])
    if not found and "…" in given:
        start, _, end = given.partition("…")
        found = index.rows("substr(id, 1, ?) = ? AND substr(id, ?) = ?", [len(start), start, -len(end), end])
    return found or index.rows("substr(id, ?) = ?", [-len(given), given])


def _by_path(index: Index, given: str) -> list[Row]:
    """The run at a path, relative to outputs or to the working directory; only scanned folders can be found."""
    whole = os.path.realpath(given)
    inside = os.path.relpath(whole, os.path.realpath(index.outputs))
    return index.rows("path IN (?, ?, ?)", [given.strip("/"), inside, whole])


def _choices(index: Index, given: str, fitting: list[Row]) -> str:
    same = len({row.id for row in fitting}) == 1
    names = [row.path if same else row.id for row in fitting[:LISTED]]
    more = f"\n  and {len(fitting) - LISTED} more" if len(fitting) > LISTED else ""
    what = "folders hold the run" if same else "runs fit"
    then = "Give the path of one of them; `mhc doctor` says more" if same else "Type more of the id"
    return f"{len(fitting)} {what} {given!r}. {then}:\n  " + "\n  ".join(names) + more


def _suggestion(index: Index, given: str) -> str:
    """The nearest ids; among those that begin alike and the newest, since comparing all would take seconds."""
    from difflib import get_close_matches

    alike = index.query("SELECT id FROM runs WHERE id >= ? AND id < ? LIMIT 2000", [given[:3], given[:3] + END_OF_TEXT])
    newest = index.query("SELECT id FROM runs ORDER BY created DESC LIMIT 2000")
    names = list(dict.fromkeys(str(row[0]) for row in [*alike, *newest]))
    if not names:
        return " There are no runs there yet."
    begun = {name[: len(given)]: name for name in reversed(names)}
    close = [begun[start] for start in get_close_matches(given, begun, n=3, cutoff=0.7)]
    return f" Did you mean: {', '.join(close)}" if close else " List the runs with: mhc list"


def starting_with(index: Index, beginning: str, limit: int = 200) -> list[str]:
    """Ids that begin so, newest first: for completion by a shell."""
    found = index.query(
        "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY created DESC LIMIT ?",
        [beginning, beginning + END_OF_TEXT, limit],
    )
    return list(dict.fromkeys(str(row[0]) for row in found))


def folder_of(index: Index, given: str) -> Path:
    """The folder of the run that `given` names; errors as `find`."""
    return index.folder(find(index, given).path)
