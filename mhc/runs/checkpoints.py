"""The checkpoints of a run: the last complete one, and checksums. Without torch."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path


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
    except FileNotFoundError:
        return 0.0


def is_whole(path: Path) -> bool:
    """Return whether `path` is a torch archive: a zip file with its directory, which is at its end."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def sha256(path: Path, *, follow_links: bool = True) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: if it cannot be read, or is a link and `follow_links` is False.
    """
    descriptor = os.open(path, os.O_RDONLY | (0 if follow_links else os.O_NOFOLLOW))
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
