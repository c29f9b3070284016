"""The folder of the run that this process trains, which may be moved, deleted or replaced meanwhile.

While a process is suspended, others may archive its run as lost; anyone may move a folder by hand. An open descriptor
identifies the folder whatever happens to its path. Every write of a training checks it before; a folder that is not at
its path any more ends the training, and its outcome is recorded at the folder's new place.
"""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mhc.files import open_regular
from mhc.record import ARCHIVES
from mhc.runs import folders
from mhc.runs.end_request import EndRequest


class FolderMoved(EndRequest):
    """The folder of the run is not at its path any more; `place` is its new place, None if it does not exist."""

    def __init__(self, folder: Path, place: Path | None) -> None:
        self.place = place
        self.reason = f"its folder was moved to {place}" if place else "its folder was deleted or replaced"
        super().__init__(f"The training of run {folder.name} ended: {self.reason}. {_advice(folder.name, place)}")


def _advice(run_id: str, place: Path | None) -> str:
    if place is None:
        return "Its outcome is not recorded. Start it again"
    if place.parent.name in ARCHIVES or place.parent.parent.name in ARCHIVES:
        return f"Restore it with: mhc restore {run_id}"
    return f"Continue it with: python -m mhc.train resume={shlex.quote(str(place))}"


class _Identity(NamedTuple):
    """What identifies a folder: its device and inode, which cannot be used again while the descriptor is open."""

    descriptor: int
    device: int
    inode: int

    def is_at(self, path: Path) -> bool:
        """Return whether the folder is at `path`.

        Raises:
            OSError: if this cannot be determined now, because a file server is unavailable.
        """
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return (status.st_dev, status.st_ino) == (self.device, self.inode)


_identities: dict[Path, _Identity] = {}
"""The folders of the runs that this process trains, by their path at the start."""


def hold(folder: Path) -> None:
    """Identify `folder` as the folder of a run that this process trains from now on.

    Raises:
        OSError: if it does not exist.
    """
    folder = folder.absolute()
    release(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    _identities[folder] = _Identity(descriptor, status.st_dev, status.st_ino)


def release(folder: Path) -> None:
    """Close the descriptor of `folder`, if this process holds one."""
    identity = _identities.pop(folder.absolute(), None)
    if identity is not None:
        os.close(identity.descriptor)


def check(folder: Path) -> None:
    """Check before a write that `folder`, if this process trains its run, is the one that it was at the start.

    Raises:
        FolderMoved: if it is not.
    """
    with suppress(OSError):  # of an unavailable file server; the write itself will fail, or succeed
        place = place_of(folder)
        if place != folder:
            raise FolderMoved(folder, place)


def make(folder: Path, path: Path) -> None:
    """Create the folder `path` in the run's `folder`, if it does not exist, but never `folder` itself.

    Raises:
        FolderMoved: if `folder` is not at its path any more.
        OSError: if a folder cannot be created.
    """
    check(folder)
    for parent in [*reversed(path.relative_to(folder).parents), path.relative_to(folder)]:
        if parent.parts:
            (folder / parent).mkdir(exist_ok=True)


def place_of(folder: Path) -> Path | None:
    """Return the place of `folder` now; None if this process trains its run and it does not exist any more.

    Raises:
        OSError: if this cannot be determined now, because a file server is unavailable.
    """
    identity = _identities.get(folder.absolute())
    return folder if identity is None or identity.is_at(folder) else _find(folder, identity)


def touch(folder: Path, name: str) -> None:
    """Create a file in `folder`, or set its time to now on the file system's clock; wherever the folder is now.

    Raises:
        OSError: if the file cannot be created, or the folder was deleted.
    """
    identity = _identities.get(folder.absolute())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY) if identity is None else os.dup(identity.descriptor)
    try:
        os.close(open_regular(Path(name), os.O_WRONLY | os.O_CREAT, dir_fd=descriptor))
        os.utime(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _find(folder: Path, identity: _Identity) -> Path | None:
    """Return the new place of a moved folder: from the system, else by a search in the folders of runs."""
    with suppress(OSError):
        place = Path(os.readlink(f"/proc/self/fd/{identity.descriptor}"))  # noqa: PTH115 (the link's text, not a path)
        if identity.is_at(place):
            return place
    outputs = folder.parent.parent if folders.SWEEP_ID.fullmatch(folder.parent.name) else folder.parent
    outputs = outputs.parent if outputs.name in ARCHIVES else outputs
    return next((place for place, _ in folders.iter_runs(outputs) if identity.is_at(place)), None)
