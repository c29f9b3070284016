"""Find every `run.json` under `outputs/` and `models/production/` fast: one scandir a folder, one stat a run.

Symbolic links are never followed: what lies outside of `outputs/` does not belong to mhc. A scan looks at one place
after the other, so it can race with a move: a run that is archived in between is seen twice, one that is restored is
not seen at all. Both show in a comparison with the previous scan; only those few runs are looked up again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG

from mhc.index.rows import Row
from mhc.record import ARCHIVES

UNREADABLE = "unreadable"
"""The stamp of a `run.json` that is there but cannot be looked at, or is no plain file."""


def scan(outputs: Path, models: Path) -> dict[str, str]:
    """The stamp of each `run.json`, by the path of its folder.

    A path is relative to `outputs` (`<run id>`, `<sweep id>/<run id>`, `archived/<run id>`, ...); that of a bundle in
    `models/production` is absolute. A stamp is `inode:mtime in ns:size`. A folder that is missing holds no runs.
    """
    seen: dict[str, str] = {}
    for name in _runs_in(f"{outputs}/", "", seen):
        for inner in _runs_in(f"{outputs}/{name}/", f"{name}/", seen):
            if name in ARCHIVES:
                _runs_in(f"{outputs}/{name}/{inner}/", f"{name}/{inner}/", seen)
    production = os.path.abspath(models / "production") + os.sep  # noqa: PTH100 keeps links, as `outputs` does
    _runs_in(production, production, seen)
    return seen


def _runs_in(folder: str, prefix: str, seen: dict[str, str]) -> list[str]:
    """Add the runs right under `folder` to `seen`, and give the names of the folders that are no runs."""
    others: list[str] = []
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return others
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." or not entry.is_dir(follow_symlinks=False) or not _is_utf8(name):
                    continue
                stamp = _stamp(name + "/run.json", descriptor)
                if stamp is None:
                    others.append(name)
                else:
                    seen[prefix + name] = stamp
    finally:
        os.close(descriptor)
    return others


def _is_utf8(name: str) -> bool:
    """No run of ours is called otherwise, and neither JSON nor SQLite could hold the name."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _stamp(run_json: str, folder: int) -> str | None:
    try:
        facts = os.stat(run_json, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError:
        return UNREADABLE
    if not S_ISREG(facts.st_mode):
        return UNREADABLE
    return f"{facts.st_ino}:{facts.st_mtime_ns}:{facts.st_size}"


def stamp_of(folder: Path) -> str | None:
    """The stamp of the `run.json` in one folder; None where there is none, or where the folder is a link."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _stamp("run.json", descriptor)
    finally:
        os.close(descriptor)


ROUNDS = 3
"""How often a run that is moved again while it is looked up is looked up."""
PLACES = ("", *sorted(f"{archive}/" for archive in ARCHIVES))


def settled(outputs: Path, models: Path, known: Mapping[str, str]) -> dict[str, str]:
    """As `scan`, but each run that only moved is in the one place where it is; `known` is the result of before."""
    seen = scan(outputs, models)
    doubtful = {tail for path in seen.keys() - known.keys() if len(_places(tail := tail_of(path), seen)) > 1}
    doubtful |= {tail for path in known.keys() - seen.keys() if not _places(tail := tail_of(path), seen)}
    for tail in doubtful:
        for path in _places(tail, seen):
            del seen[path]
        seen |= look_up(outputs, tail)
    return seen


def tail_of(path: str) -> str:
    """The path without the archive in which it begins: a move keeps the rest."""
    first, _, rest = path.partition("/")
    return rest if first in ARCHIVES and rest else path


def _places(tail: str, seen: Mapping[str, str]) -> list[str]:
    return [tail] if tail[:1] == "/" else [path for place in PLACES if (path := place + tail) in seen]


def look_up(outputs: Path, tail: str) -> dict[str, str]:
    """Where the run is now, and its stamp: one place, but for copies that somebody made."""
    found: dict[str, str] = {}
    for _ in range(ROUNDS):
        before, found = found, {}
        for place in PLACES:
            stamp = stamp_of(outputs / place / tail)
            if stamp is not None:
                found[place + tail] = stamp
        if len(found) == 1 or (found and found.keys() == before.keys()):
            break
    return found


def once(outputs: Path, rows: list[Row]) -> list[Row]:
    """The rows without those of a run that another reader, whose scan was older, wrote down where it no longer is."""
    if len({row.id for row in rows}) == len(rows):
        return rows
    counts = Counter(tail_of(row.path) for row in rows)
    doubtful = [tail for tail, count in counts.items() if count > 1 and not tail.startswith("/")]
    there = {tail: found.keys() for tail in doubtful if (found := look_up(outputs, tail))}
    shown = [row for row in rows if (tail := tail_of(row.path)) not in there or row.path in there[tail]]
    return shown if len(shown) >= len(counts) else rows  # moved on while it was looked up: better twice than never
