"""Claim, find, archive and restore the folders of runs. A move is one rename inside `outputs/`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from mhc import disk
from mhc.errors import BadConfig, Conflict, NotFound, Refused
from mhc.record import ARCHIVES, RECORD_FILE, Location
from mhc.runs import atomic

REPRODUCING = ".reproducing-"
"""The prefix of the folder in which a run is reproduced."""
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*_\d{8}_\d{6}_[0-9a-f]{4}")
SWEEP_ID = re.compile(RUN_ID.pattern + "_sweep")
MAX_NAME = 80
MAX_ATTEMPTS = 1000


def slug(name: str) -> str:
    """Return `name` as part of a file name: letters, digits, `.`, `-`, `_`, 1 to 80 characters."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:MAX_NAME].strip("._-")
    return plain or "run"


def claim(parent: Path, name: str, now: datetime) -> Path:
    """Create and return a folder `<name>_<YYYYMMDD>_<HHMMSS>_<4 hex>` in `parent` that no other process can claim.

    Raises:
        BadConfig: if no folder can be created in `parent`.
    """
    return _claim(parent, f"{slug(name)}_{now:%Y%m%d_%H%M%S}", "")


def discard_claim(folder: Path) -> None:
    """Delete a folder that this process has claimed, and in which no run was registered."""
    if not has_record(str(folder)):
        shutil.rmtree(folder, ignore_errors=True)


def claim_sweep(outputs: Path, name: str, now: datetime) -> Path:
    """Create and return a folder `<name>_<YYYYMMDD>_<HHMMSS>_<4 hex>_sweep`, in which each job claims its own.

    Raises:
        BadConfig: if no folder can be created in `outputs`.
    """
    return _claim(outputs, f"{slug(name)}_{now:%Y%m%d_%H%M%S}", "_sweep")


def _claim(parent: Path, stem: str, ending: str) -> Path:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for _ in range(MAX_ATTEMPTS):
            folder = parent / f"{stem}_{os.urandom(2).hex()}{ending}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as problem:
        raise BadConfig(
            f"No folder can be created in {parent}: {disk.reason(problem, parent)}. "
            "Choose another place with paths.outputs="
        ) from problem
    raise BadConfig(f"All names {stem}_???? are taken in {parent}. Choose another name=")


def iter_runs(outputs: Path, *, archives: bool = True) -> Iterator[tuple[Path, Location]]:
    """Yield the folders of runs with their locations, also those in sweeps and archives. No link is followed."""
    for folder in _children(outputs):
        location = ARCHIVES.get(folder.name)
        if location is None:
            yield from _runs(folder, Location.ACTIVE)
        elif archives:
            for child in _children(Path(folder.path)):
                yield from _runs(child, location)


def _runs(folder: os.DirEntry[str], location: Location) -> Iterator[tuple[Path, Location]]:
    if has_record(folder.path):
        yield Path(folder.path), location
    elif not RUN_ID.fullmatch(folder.name):  # a sweep, or a date folder of plain Hydra
        for child in _children(folder.path):
            if has_record(child.path):
                yield Path(child.path), location


def has_record(folder: str) -> bool:
    """Return whether `folder` contains a `run.json`."""
    return os.path.lexists(f"{folder}/{RECORD_FILE}")


def iter_without_record(outputs: Path) -> Iterator[Path]:
    """Yield the folders that were claimed, judging by their names, but contain no `run.json`."""
    for folder in _children(outputs):
        inside = [] if RUN_ID.fullmatch(folder.name) else list(_children(folder.path))
        deeper = [child for sweep in inside if SWEEP_ID.fullmatch(sweep.name) for child in _children(sweep.path)]
        for entry in (folder, *inside, *deeper):
            if RUN_ID.fullmatch(entry.name) and not has_record(entry.path):
                yield Path(entry.path)


def _children(folder: Path | str) -> list[os.DirEntry[str]]:
    """Return the folders in `folder` without hidden ones and links; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def location_in(folder: Path, outputs: Path) -> Location:
    """Return the location of `folder`, which lies in `outputs`."""
    return ARCHIVES.get(_inside(folder, outputs).parts[0], Location.ACTIVE)


def _inside(folder: Path, outputs: Path) -> Path:
    """Return `folder` relative to `outputs`; both may be links.

    Raises:
        Refused: if it does not lie in `outputs`.
    """
    try:
        real, root = folder.resolve(), outputs.resolve()
    except RuntimeError:
        raise Refused(f"{folder} leads into a loop of links. Remove the link and repeat the command") from None
    if root not in real.parents:
        raise Refused(f"{folder} does not lie in {outputs}; only runs in that folder are changed")
    return real.relative_to(root)


def archive(folder: Path, outputs: Path, to: Location, check: Callable[[Path], None] | None = None) -> Path:
    """Move the run in `folder` to the archive `to` by one rename, and return its new folder.

    `check` is called with the folder while no other process can write its record; it raises if the run must stay.

    Raises:
        NotFound: if it does not exist, because another process has moved it.
        Conflict: if the archive contains that id already.
        Refused: if `folder` is archived already, or does not lie in `outputs`.
    """
    if to.value not in ARCHIVES:
        raise Refused(f"{to.value} is no archive. Choose one of: {', '.join(ARCHIVES)}")
    place = _inside(folder, outputs)
    if place.parts[0] in ARCHIVES:
        raise Refused(f"{folder} is archived already. Restore it first with: mhc restore {folder.name}")
    target = outputs / to.value / place
    _inside(target, outputs)  # the archive may be a link that leads out
    return _move(folder, target, check)


def restore(folder: Path, outputs: Path, check: Callable[[Path], None] | None = None) -> Path:
    """Move the archived run in `folder` back to where it was, and return that folder.

    Raises:
        NotFound: if it does not exist.
        Conflict: if a folder of that name exists there.
        Refused: if it is not archived.
    """
    place = _inside(folder, outputs)
    if place.parts[0] not in ARCHIVES:
        raise Refused(f"{folder} is not archived")
    target = outputs.joinpath(*place.parts[1:])
    _inside(target, outputs)  # the sweep's folder may be a link that leads out
    moved = _move(folder, target, check)
    if len(place.parts) > 2 and not any(folder.parent.iterdir()):
        folder.parent.rmdir()
    return moved


def _move(folder: Path, to: Path, check: Callable[[Path], None] | None) -> Path:
    if not folder.is_dir():
        raise NotFound(f"{folder} is gone; another process may have moved it")
    with atomic.locked(folder):
        if check:
            check(folder)
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            return folder.rename(to)
        except FileNotFoundError:
            raise NotFound(f"{folder} is gone; another process may have moved it") from None
        except OSError as problem:
            raise Conflict(f"{folder} cannot be moved to {to}: {disk.reason(problem, to.parent)}") from problem
