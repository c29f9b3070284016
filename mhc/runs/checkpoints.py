"""The checkpoints of a run: which is the last whole one, and what a file is, bit for bit. No torch."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint to go on from in the run `folder`; None where there is none.

    Lightning's `last*.ckpt`, and `hpc_ckpt_*.ckpt` of a SLURM preemption, hold the state of the training when they
    were written; `best*.ckpt` is only taken where neither is whole.
    """
    found = [*folder.glob("checkpoints/*.ckpt"), *folder.glob("hpc_ckpt_*.ckpt")]
    ordered = sorted(found, key=lambda path: (path.name.startswith(("last", "hpc_ckpt")), _written(path)))
    return next((path for path in reversed(ordered) if is_whole(path)), None)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def is_whole(path: Path) -> bool:
    """Tell whether `path` is a torch archive (a zip file) whose directory, at its very end, is there."""
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
