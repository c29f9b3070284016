"""The checkpoints of a run: the last complete one, and checksums. Without torch."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from mhc.errors import Unreadable
from mhc.files import is_inside, open_binary, reading


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint from which to resume the run in `folder`; None if it has none.

    Lightning's `last*.ckpt`, and `hpc_ckpt_*.ckpt` of a SLURM preemption, hold the state of the training at the time
    they were written; `best*.ckpt` is used only if none of them is complete.
    """
    paths = [*folder.glob("checkpoints/*.ckpt"), *folder.glob("hpc_ckpt_*.ckpt")]
    ordered = sorted(paths, key=lambda path: (path.name.startswith(("last", "hpc_ckpt")), _modified(path)))
    return next((path for path in reversed(ordered) if is_whole(path)), None)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def recorded(folder: Path, name: str) -> Path:
    """Return the path of a run's recorded checkpoint, which no record may place outside of the run's folder.

    Raises:
        Unreadable: if it is outside, also by a link.
    """
    path = folder / name
    if path.is_symlink() or not is_inside(path, folder):
        raise Unreadable(f"The checkpoint {name[:200]} is outside of the run's folder {folder}. It is not read")
    return path


def is_whole(path: Path) -> bool:
    """Return whether `path` is a torch archive: a zip file with its directory, which is at its end."""
    try:
        with reading(path), open_binary(path) as file, zipfile.ZipFile(file) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (FileNotFoundError, Unreadable):
        return False


def sha256(path: Path, *, follow_links: bool = True) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: if it cannot be read, is not a regular file, or is a link and `follow_links` is False.
    """
    with open_binary(path, follow_links=follow_links) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
