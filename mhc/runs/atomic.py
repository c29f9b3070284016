"""Write a file completely or not at all, and hold the lock of a folder.

Neither ever creates a folder: a run's folder that was archived meanwhile must not reappear as an empty one.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mhc.errors import BadInput, Conflict, NotFound

LOCK = "run.lock"
TIMEOUT = 30.0
"""Seconds to wait for another writer, which holds the lock for milliseconds."""


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `content`: a temporary file in the same folder, fsync, rename.

    With `durable` the folder is synced too, so that a power failure right after this call cannot restore the old
    content. In both cases a reader sees the complete old content or the complete new one.

    Raises:
        NotFound: if the folder does not exist.
        BadInput: if the disk is full or read-only; the old content of `path` is unchanged.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        _write_and_sync(draft, content)
        draft.replace(path)
        if durable:
            sync(path.parent, best_effort=True)  # some network file systems refuse; the rename is done all the same
    except OSError as problem:
        raise unwritable(path, problem) from problem
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def unwritable(path: Path, problem: OSError) -> BadInput | NotFound:
    """Return the error for a file that could not be written."""
    if isinstance(problem, FileNotFoundError):
        return NotFound(f"The folder {path.parent} is gone, so {path.name} was not written. It may have been archived")
    reason = problem.strerror or type(problem).__name__
    return BadInput(
        f"Could not write {path}: {reason}. Its old content is unchanged. "
        "Free some space or choose another folder with paths.outputs="
    )


def _write_and_sync(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path, *, best_effort: bool = False) -> None:
    """Flush a file, or the entries of a folder, to the disk; with `best_effort` as far as the file system can.

    Raises:
        OSError: if `path` cannot be opened, or (without `best_effort`) cannot be flushed.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not best_effort:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path, timeout: float = TIMEOUT) -> Iterator[None]:
    """Hold the lock of `folder`; readers do not need it. The system releases it when the process ends.

    Raises:
        NotFound: if the folder does not exist.
        Conflict: if another process holds the lock for longer than `timeout` seconds.
        BadInput: if the lock file cannot be created.
    """
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as problem:
        raise unwritable(path, problem) from problem
    try:
        _await_lock(descriptor, folder, timeout)
        yield
    finally:
        os.close(descriptor)


def _await_lock(descriptor: int, folder: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Conflict(
                    f"Another process has held the lock of {folder} for {timeout:.0f} s. Try again when it is done"
                ) from None
            time.sleep(0.01)
        except OSError as problem:
            raise unwritable(folder / LOCK, problem) from problem
