"""Find every `run.json` under `outputs/` and `models/production/` fast: one scandir per folder, one stat per run.

Symbolic links are never followed: data outside of `outputs/` does not belong to mhc. A scan reads one folder after the
other, so it can race with a move: a run that is archived meanwhile appears twice, one that is restored not at all. Both
show in a comparison with the previous scan; `stable_scan` locates only those few runs again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG

from mhc.index.rows import Row
from mhc.record import ARCHIVES, RECORD_FILE

UNREADABLE = "unreadable"
"""The stamp of a `run.json` that exists but cannot be read, or is not a regular file."""
MAX_ATTEMPTS = 3
"""How often a run is located if it is moved again meanwhile."""
PREFIXES = ("", *sorted(f"{archive}/" for archive in ARCHIVES))
"""What comes before the active path of a run, in each folder that may hold it."""


def scan(outputs: Path, models: Path) -> dict[str, str]:
    """Return the stamp of each `run.json`, by the path of its folder.

    A path is relative to `outputs` (`<run id>`, `<sweep id>/<run id>`, `archived/<run id>`, ...); that of a bundle in
    `models/production` is absolute. A stamp is `inode:mtime in ns:size`. A missing folder holds no runs.
    """
    stamps: dict[str, str] = {}
    for name in _scan_folder(f"{outputs}/", "", stamps):
        for inner in _scan_folder(f"{outputs}/{name}/", f"{name}/", stamps):
            if name in ARCHIVES:
                _scan_folder(f"{outputs}/{name}/{inner}/", f"{name}/{inner}/", stamps)
    production = os.path.abspath(models / "production") + os.sep  # noqa: PTH100 keeps links, as `outputs` does
    _scan_folder(production, production, stamps)
    return stamps


def _scan_folder(folder: str, prefix: str, stamps: dict[str, str]) -> list[str]:
    """Add the runs directly in `folder` to `stamps`, and return the names of its folders that are not runs."""
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
                stamp = _stamp(f"{name}/{RECORD_FILE}", descriptor)
                if stamp is None:
                    others.append(name)
                else:
                    stamps[prefix + name] = stamp
    finally:
        os.close(descriptor)
    return others


def _is_utf8(name: str) -> bool:
    """Return whether a file name is UTF-8; mhc creates no others, and neither JSON nor SQLite could store them."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _stamp(path: str, folder: int) -> str | None:
    try:
        status = os.stat(path, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError:
        return UNREADABLE
    if not S_ISREG(status.st_mode):
        return UNREADABLE
    return f"{status.st_ino}:{status.st_mtime_ns}:{status.st_size}"


def stamp_of(folder: Path) -> str | None:
    """Return the stamp of the `run.json` in one folder; None if there is none, or if the folder is a link."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _stamp(RECORD_FILE, descriptor)
    finally:
        os.close(descriptor)


def stable_scan(outputs: Path, models: Path, previous: Mapping[str, str]) -> dict[str, str]:
    """Return what `scan` returns, with each moved run only at its current path; `previous` is the scan before."""
    stamps = scan(outputs, models)
    for path in _possibly_moving(stamps, previous):
        for old in _paths_of(path, stamps):
            del stamps[old]
        stamps |= locate(outputs, path)
    return stamps


def _possibly_moving(stamps: Mapping[str, str], previous: Mapping[str, str]) -> set[str]:
    """Return the active paths of the runs that were added and appear several times, or disappeared altogether."""
    added = {active_path(path) for path in stamps.keys() - previous.keys()}
    removed = {active_path(path) for path in previous.keys() - stamps.keys()}
    repeated = {path for path in added if len(_paths_of(path, stamps)) > 1}
    return repeated | {path for path in removed if not _paths_of(path, stamps)}


def active_path(path: str) -> str:
    """Return the path that the run has outside of the archives; archiving only adds a prefix to it."""
    first, _, rest = path.partition("/")
    return rest if first in ARCHIVES and rest else path


def _paths_of(active: str, stamps: Mapping[str, str]) -> list[str]:
    """Return the scanned paths of a run; bundles, whose paths are absolute, are never moved."""
    if active.startswith("/"):
        return [active]
    return [prefix + active for prefix in PREFIXES if prefix + active in stamps]


def locate(outputs: Path, active: str) -> dict[str, str]:
    """Return the current path of a run and its stamp; several paths only if the user has copied the folder."""
    stamps: dict[str, str] = {}
    for _ in range(MAX_ATTEMPTS):
        before = stamps
        stamps = _stamps_at(outputs, [prefix + active for prefix in PREFIXES])
        if len(stamps) == 1 or (stamps and stamps.keys() == before.keys()):
            break
    return stamps


def _stamps_at(outputs: Path, paths: list[str]) -> dict[str, str]:
    stamps = {path: stamp_of(outputs / path) for path in paths}
    return {path: stamp for path, stamp in stamps.items() if stamp is not None}


def without_duplicates(outputs: Path, rows: list[Row]) -> list[Row]:
    """Return the rows without those at a path that the run has left: a reader with an older scan may have stored it."""
    if len({row.id for row in rows}) == len(rows):
        return rows
    counts = Counter(active_path(row.path) for row in rows)
    repeated = [path for path, count in counts.items() if count > 1 and not path.startswith("/")]
    locations = {path: locate(outputs, path) for path in repeated}
    current = [row for row in rows if _is_current(row.path, locations.get(active_path(row.path)))]
    return current if len(current) >= len(counts) else rows  # moved again meanwhile: a duplicate beats a missing run


def _is_current(path: str, locations: Mapping[str, str] | None) -> bool:
    """Return whether a run is at `path`, or could not be located."""
    return not locations or path in locations
