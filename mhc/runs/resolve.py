"""Resolve a run from what the user types: an id, its beginning, its end, a shortened id, or a path.

`patterns` and the two errors are pure and shared with `mhc.index.resolve`, which asks the index instead of the disk.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mhc.errors import Conflict, NotFound
from mhc.runs import folders

MAX_LENGTH = 300
"""Characters of an id or a path; a longer text is no run's."""
MAX_LISTED = 10
"""Choices that are listed if several runs fit."""
MAX_COMPARED = 5000
"""Ids that are compared with a mistyped one."""
ELLIPSIS = re.compile("…|\\.\\.\\.")


class Pattern(NamedTuple):
    """How an id must begin and end, and whether it is nothing but its beginning."""

    start: str = ""
    end: str = ""
    whole: bool = False

    def fits(self, run_id: str) -> bool:
        """Return whether `run_id` fits."""
        if self.whole:
            return run_id == self.start
        return run_id.startswith(self.start) and run_id.endswith(self.end)


def patterns(given: str) -> list[Pattern]:
    """Return what the ids that `given` can mean look like; the first pattern that fits any run decides.

    The whole id; its beginning; beginning and end around an ellipsis, as `list` shows ids on a narrow terminal; its
    end (`a1b2`).
    """
    if not 0 < len(given) <= MAX_LENGTH:
        return []
    shortened = (
        [Pattern(start, end) for start, end in [ELLIPSIS.split(given, maxsplit=1)]] if _is_shortened(given) else []
    )
    return [Pattern(given, whole=True), Pattern(given), *shortened, Pattern(end=given)]


def _is_shortened(given: str) -> bool:
    return ELLIPSIS.search(given) is not None


def find(outputs: Path, given: str) -> Path:
    """Return the folder of the run that `given` names: see `patterns`, or a path to the folder, inside `outputs`.

    Raises:
        NotFound: if no run fits; suggests the nearest ids.
        Conflict: if several runs fit; lists them.
    """
    if "/" in given or "\0" in given or given in (".", ".."):
        return _by_path(outputs, given)
    runs = [folder for folder, _ in folders.iter_runs(outputs)]
    for pattern in patterns(given):
        fitting = [folder for folder in runs if pattern.fits(folder.name)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            paths = sorted(folder.relative_to(outputs).as_posix() for folder in fitting)
            raise ambiguous(given, [Path(path).name for path in paths], paths)
    raise not_found(given, outputs, (folder.name for folder in runs))


def _by_path(outputs: Path, given: str) -> Path:
    if "\0" not in given:
        for path in (Path(given), outputs / given):
            if folders.has_record(str(path)) and outputs.resolve() in path.resolve().parents:
                return path
    raise not_found(given, outputs, ())


def ambiguous(given: str, ids: Sequence[str], paths: Sequence[str]) -> Conflict:
    """Return the error for several runs that fit `given`: their ids, or their paths if all have one id."""
    same = len(set(ids)) == 1
    names = (paths if same else ids)[:MAX_LISTED]
    more = f"\n  and {len(ids) - MAX_LISTED} more" if len(ids) > MAX_LISTED else ""
    what = "folders hold the run" if same else "runs fit"
    then = "Give the path of one of them; `mhc doctor` says more" if same else "Type more of the id"
    return Conflict(f"{len(ids)} {what} {given!r}. {then}:\n  " + "\n  ".join(names) + more)


def not_found(given: str, outputs: Path, ids: Iterable[str]) -> NotFound:
    """Return the error for a run that does not exist, with the nearest of `ids`."""
    shown = given if len(given) <= 80 else given[:79] + "…"
    return NotFound(f"No run {shown!r} in {outputs}.{_suggestion(given[:80], list(ids))}")


def _suggestion(given: str, ids: Sequence[str]) -> str:
    """Return the nearest ids, compared by beginnings of the same length; those of the same first letter first."""
    if not ids:
        return " There are no runs there yet"
    compared = sorted(dict.fromkeys(ids), key=lambda name: name[:1] != given[:1])[:MAX_COMPARED]
    starts = {name[: len(given)]: name for name in reversed(compared)}
    nearest = [starts[start] for start in difflib.get_close_matches(given, starts, n=3, cutoff=0.7)]
    return f" Did you mean: {', '.join(nearest)}" if nearest else " List the runs with: mhc list"
