"""Resolve the run that a user names: by an id, its beginning, its end, a shortened id, or a path.

`patterns` and the two errors are pure and shared with `mhc.index.resolve`, which queries the index instead of the disk.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mhc.errors import Conflict, NotFound
from mhc.files import is_inside
from mhc.runs import folders

MAX_LENGTH = 300
"""Characters of an id or a path; a longer text names no run."""
MAX_LISTED = 10
"""Ids that are listed if several runs match."""
MAX_COMPARED = 5000
"""Ids that are compared with a mistyped one."""
ELLIPSIS = re.compile("…|\\.\\.\\.")


class Pattern(NamedTuple):
    """The beginning and the end of an id; with `whole` the beginning is the complete id."""

    start: str = ""
    end: str = ""
    whole: bool = False

    def matches(self, run_id: str) -> bool:
        """Return whether `run_id` matches."""
        if self.whole:
            return run_id == self.start
        return run_id.startswith(self.start) and run_id.endswith(self.end)


def patterns(text: str) -> list[Pattern]:
    """Return the patterns of the ids that `text` can mean; the first pattern that matches any run decides.

    The complete id; its beginning; beginning and end around an ellipsis, as `list` shows ids on a narrow terminal; its
    end (`a1b2`).
    """
    if not 0 < len(text) <= MAX_LENGTH:
        return []
    shortened = (
        [Pattern(start, end) for start, end in [ELLIPSIS.split(text, maxsplit=1)]] if _is_shortened(text) else []
    )
    return [Pattern(text, whole=True), Pattern(text), *shortened, Pattern(end=text)]


def _is_shortened(text: str) -> bool:
    return ELLIPSIS.search(text) is not None


def find(outputs: Path, text: str) -> Path:
    """Return the folder of the run that `text` names: see `patterns`, or a path to its folder inside `outputs`.

    Raises:
        NotFound: if no run matches; suggests the nearest ids.
        Conflict: if several runs match; lists them.
    """
    if "/" in text or "\0" in text or text in (".", ".."):
        return _by_path(outputs, text)
    runs = [folder for folder, _ in folders.iter_runs(outputs)]
    for pattern in patterns(text):
        matches = [folder for folder in runs if pattern.matches(folder.name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            paths = sorted(folder.relative_to(outputs).as_posix() for folder in matches)
            raise ambiguous(text, [Path(path).name for path in paths], paths)
    raise not_found(text, outputs, (folder.name for folder in runs))


def _by_path(outputs: Path, text: str) -> Path:
    if "\0" not in text:
        for path in (Path(text), outputs / text):
            if folders.has_record(str(path)) and is_inside(path, outputs):
                return path
    raise not_found(text, outputs, ())


def ambiguous(text: str, ids: Sequence[str], paths: Sequence[str]) -> Conflict:
    """Return the error for several runs that match `text`: their ids, or their paths if all have the same id."""
    same = len(set(ids)) == 1
    names = (paths if same else ids)[:MAX_LISTED]
    more = f"\n  and {len(ids) - MAX_LISTED} more" if len(ids) > MAX_LISTED else ""
    what = "folders contain the run" if same else "runs match"
    advice = "Give the path of one of them; `mhc doctor` shows more" if same else "Type more of the id"
    return Conflict(f"{len(ids)} {what} {text!r}. {advice}:\n  " + "\n  ".join(names) + more)


def not_found(text: str, outputs: Path, ids: Iterable[str]) -> NotFound:
    """Return the error for a run that does not exist, with the nearest of `ids`."""
    shown = text if len(text) <= 80 else text[:79] + "…"
    return NotFound(f"No run {shown!r} in {outputs}.{_suggestion(text[:80], list(ids))}")


def _suggestion(text: str, ids: Sequence[str]) -> str:
    """Return the nearest ids, compared by beginnings of the same length; those with the same first letter first."""
    if not ids:
        return " There are no runs in it yet"
    compared = sorted(dict.fromkeys(ids), key=lambda name: name[:1] != text[:1])[:MAX_COMPARED]
    starts = {name[: len(text)]: name for name in reversed(compared)}
    nearest = [starts[start] for start in difflib.get_close_matches(text, starts, n=3, cutoff=0.7)]
    return f" Did you mean: {', '.join(nearest)}" if nearest else " List the runs with: mhc list"
