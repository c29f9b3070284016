"""Cache folders that are complete or absent: filled under a temporary name, then renamed.

Several processes may need the same folder at once: one fills it under a lock, the others wait and then read it. The
cache has texts, so only its owner may read it, whatever the umask is.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from mhc import disk
from mhc.errors import BadInput, Refused

MANIFEST = "whole.json"
"""Written last: the sizes of all other files of the folder. A folder without it, or with other sizes, is incomplete."""

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600

Ints = npt.NDArray[np.integer]


def ensure_folder(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return `folder`; call `fill(draft)` first unless the folder exists and is complete.

    Raises:
        BadInput: if there is no space left on the disk.
        Refused: if the folder is not writable.
    """
    if is_complete(folder):
        return folder
    try:
        private_folder(folder.parent)
        with FileLock(folder.parent / f".{folder.name}.lock", mode=PRIVATE_FILE):
            if not is_complete(folder):
                fill_and_rename(folder, fill)
    except OSError as error:
        raise disk_error(error, folder) from error
    return folder


def is_complete(folder: Path) -> bool:
    """Return whether every file of the folder has the size that it was written with."""
    try:
        sizes = json.loads((folder / MANIFEST).read_bytes())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def fill_and_rename(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a draft beside `folder` and rename it; if that fails, the draft is removed."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        private_folder(draft)
        fill(draft)
        sizes = {str(path.relative_to(draft)): path.stat().st_size for path in draft.rglob("*") if path.is_file()}
        (draft / MANIFEST).write_text(json.dumps(sizes), encoding="utf-8")
        make_private(draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def private_folder(folder: Path) -> None:
    """Create a folder that only its owner may enter, and its parents; if it exists, close it to others.

    Parents that exist are left as they are: the user may have chosen a folder that others use, too.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        place.chmod(PRIVATE_FOLDER)  # the mode of mkdir is cut by the umask
    if folder.is_dir() and folder.stat().st_uid == os.geteuid():
        folder.chmod(PRIVATE_FOLDER)


def make_private(folder: Path) -> None:
    """Close all files and folders within `folder` to others."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # removed by another process since it was listed
            if not path.is_symlink():
                path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)


def disk_error(error: OSError, folder: Path) -> BadInput | Refused | OSError:
    """Return the user-facing error for a full or read-only disk; any other error is returned unchanged."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BadInput(f"{disk.explain(error, folder)} with paths.cache=")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return Refused(f"{error.filename or folder} is not writable. Set paths.cache= to a writable folder")
    return error


def write_ints(path: Path, values: npt.ArrayLike, dtype: npt.DTypeLike) -> None:
    """Write one array of integers."""
    np.save(path, np.asarray(values, dtype=dtype))


def read_ints(path: Path) -> Ints:
    """Return the array as a memory map: its pages are read from the disk on access."""
    return cast(Ints, np.load(path, mmap_mode="r"))


def map_flat(path: Path, dtype: npt.DTypeLike) -> Ints:
    """Return a flat file of numbers as a memory map; an empty file cannot be mapped and gives an empty array."""
    if path.stat().st_size == 0:
        return np.zeros(0, dtype=dtype)
    return cast(Ints, np.memmap(path, dtype=dtype, mode="r"))
