"""Recognise the errors of a full or read-only disk, whichever library raised them, and explain them.

A library in Rust or C++ raises an error of its own, with the system's number or text in its message.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
NUMBERS = (*FULL, errno.EROFS)
ADVICE = {
    errno.ENOSPC: "Free some space, or choose another folder",
    errno.EDQUOT: "Delete files of yours there, or choose another folder",
    errno.EROFS: "Choose another folder, or have the disk mounted for writing",
}
LIBRARY_ERRORS = frozenset({"Exception", "RuntimeError", "SafetensorError", "OperationalError"})
"""Names of the types that tokenizers, torch, safetensors and sqlite3 raise if a file cannot be written."""
TEXTS = {
    **{os.strerror(number): number for number in NUMBERS},
    **{f"os error {number}": number for number in NUMBERS},
    "database or disk is full": errno.ENOSPC,
    "attempt to write a readonly database": errno.EROFS,
}


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and the errors that led to it, newest first, as a traceback shows them."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def problem_of(error: BaseException) -> tuple[int, str | None] | None:
    """Return errno and file of the full or read-only disk that led to `error`; None if no disk did."""
    for link in chain_of(error):
        if isinstance(link, OSError) and link.errno in NUMBERS:
            return link.errno, None if link.filename is None else os.fsdecode(link.filename)
        if type(link).__name__ in LIBRARY_ERRORS or isinstance(link, OSError):
            message = str(link)
            number = next((number for text, number in TEXTS.items() if text in message), None)
            if number is not None:
                return number, _path_in(message)
    return None


def is_full(error: BaseException) -> bool:
    """Return whether a disk without space, or a quota, led to `error`."""
    problem = problem_of(error)
    return problem is not None and problem[0] in FULL


def explain(error: BaseException, place: Path | None = None) -> str | None:
    """Return the sentence for an error that a full or read-only disk led to; None for any other.

    Args:
        error: the error as it arrived.
        place: the folder that is named if the error names no file; else the working directory.
    """
    problem = problem_of(error)
    if problem is None:
        return None
    number, path = problem
    state = _state(number, _existing(Path(path) if path else place or Path.cwd()))
    return f"{state[0].upper()}{state[1:]}. {ADVICE[number]}"


def reason(problem: OSError, place: Path) -> str:
    """Return why something in the folder `place` could not be written, for the middle of a sentence."""
    found = problem_of(problem)
    return _state(found[0], _existing(place)) if found else problem.strerror or type(problem).__name__


def _state(number: int, folder: Path) -> str:
    if number == errno.EROFS:
        return f"the disk of {folder} is read-only"
    if number == errno.EDQUOT:
        return f"your quota on the disk of {folder} is used up"
    return f"the disk of {folder} is full, {_free(folder)}"


def _path_in(message: str) -> str | None:
    match = re.search(r"[\"'](/[^\"'\n]+)[\"']", message)
    return match[1] if match else None


def _existing(path: Path) -> Path:
    """Return the closest folder above `path` that exists."""
    return next((folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir()), Path("/"))


def _free(folder: Path) -> str:
    import shutil  # here: every command imports this module

    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return "and nothing can be written"
    return f"{_size(usage.free)} of {_size(usage.total)} are free"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
