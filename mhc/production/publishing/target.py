"""Where a bundle may be copied: to an empty folder or one with nothing but this bundle, never into a models folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Protocol

from mhc.errors import BadInput, Conflict, Refused
from mhc.production import bundle, ledger
from mhc.production.state import Bundle

BLOCK = 1 << 20
"""Bytes that are compared at once."""


class FileSystem(Protocol):
    """What is used of a file system of fsspec."""

    protocol: str | Sequence[str]

    def exists(self, path: str) -> bool:
        """Return whether there is something."""

    def find(self, path: str) -> list[str]:
        """Return all files below a path."""

    def open(self, path: str, mode: str) -> IO[bytes]:
        """Open a file."""

    def makedirs(self, path: str, *, exist_ok: bool) -> None:
        """Create a folder."""

    def put_file(self, source: str, target: str) -> None:
        """Copy a local file to the file system."""

    def unstrip_protocol(self, path: str) -> str:
        """Return the address of a path."""


def open_folder(folder: Path, source: Bundle, to: str, fsspec: ModuleType) -> tuple[FileSystem, str]:
    """Return the file system of the address `to`, and the path of the copy, which has nothing of others.

    Raises:
        BadInput: if fsspec cannot use or read the address.
        Conflict: if the target has this bundle already, or files that are not the bundle's.
        Refused: if the target is inside a models folder.
    """
    try:
        system, path = fsspec.core.url_to_fs(to)
    except (ValueError, ImportError) as problem:
        raise BadInput(f"{to} is not an address that fsspec can use: {problem}") from problem
    target = f"{path.rstrip('/')}/{source.name}"
    local = "file" in (system.protocol if isinstance(system.protocol, tuple | list) else (system.protocol,))
    if local:
        _refuse_models_folder(Path(target), folder.parent.parent)
    try:
        if system.exists(f"{target}/{bundle.CHECKSUMS}"):
            raise Conflict(f"{to} has {source.name} already; a published bundle is never overwritten")
        foreign = _foreign_files(Path(target), folder) if local else _foreign_objects(system, target, folder)
    except OSError as problem:
        raise BadInput(f"{target} cannot be read: {problem.strerror or type(problem).__name__}") from problem
    if foreign:
        names = ", ".join(foreign[:3])
        raise Conflict(f"{target} has files that are not of {source.name}: {names[:200]}. Choose an empty folder")
    return system, target


def _refuse_models_folder(target: Path, models: Path) -> None:
    place = target.resolve()
    for folder in (place, *place.parents):
        if folder == models.resolve() or (folder / ledger.FILE).exists():
            raise Refused(f"{target} is in the models folder {folder}, which only a promotion changes. Choose another")


def _foreign_files(target: Path, folder: Path) -> list[str]:
    """Return the files of a local target that are not the bundle's; a link is never the bundle's."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        return [target.name]
    foreign = []
    for name in sorted(bundle.files(target)):
        if (target / name).is_symlink() or not (target / name).is_file() or not (folder / name).is_file():
            foreign.append(name)
            continue
        with (target / name).open("rb") as copy, (folder / name).open("rb") as original:
            if not _begins_with(original, copy):
                foreign.append(name)
    return foreign


def _foreign_objects(system: FileSystem, target: str, folder: Path) -> list[str]:
    """Return the files of a remote target that are not the bundle's."""
    foreign = []
    for path in sorted(system.find(target)) if system.exists(target) else []:
        name = path.lstrip("/").removeprefix(target.lstrip("/")).lstrip("/")
        if not (folder / name).is_file():
            foreign.append(name or path)
            continue
        with system.open(path, "rb") as copy, (folder / name).open("rb") as original:
            if not _begins_with(original, copy):
                foreign.append(name)
    return foreign


def _begins_with(original: IO[bytes], copy: IO[bytes]) -> bool:
    """Return whether the copy is the beginning of the original: all of it, or what a killed process had copied."""
    while block := copy.read(BLOCK):
        if original.read(len(block)) != block:
            return False
    return True
