"""Find every `run.json` under `outputs/` and `models/production/` fast: one scandir a folder, one stat a run.

Symbolic links are never followed: what lies outside of `outputs/` is none of ours.
"""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG

from mhc.runs.record import Location

ARCHIVES = frozenset({Location.ARCHIVE_DEBUG.value, Location.ARCHIVE_BASELINE.value, Location.ARCHIVED.value})
"""Folders of `outputs/` that hold archived runs."""
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


def location_of(path: str) -> Location:
    """Where a folder lies, by its path as `scan` gives it."""
    if path.startswith(os.sep):
        return Location.PRODUCTION
    first = path.split("/", 1)[0]
    return Location(first) if first in ARCHIVES and first != path else Location.ACTIVE
