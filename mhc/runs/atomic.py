"""Write a file completely or not at all, reserve space for one, and hold the lock of a folder.

None of them ever creates a folder: a run's folder that was archived meanwhile must not reappear as an empty one.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mhc import disk
from mhc.errors import BadInput, Conflict, NotFound
from mhc.files import open_regular
from mhc.record import RECORD_FILE

LOCK = "run.lock"
TIMEOUT = 30.0
"""Seconds to wait for another writer, which holds the lock for milliseconds."""
RESERVE = ".reserve"
RESERVE_BYTES = 65_536
"""Space for the outcome of a live run: a record has a few kilobytes, with a hundred labels and a long history 50."""


def write(path: Path, content: bytes | memoryview, *, durable: bool = True, synced: bool = True) -> None:
    """Replace `path` by `content`: a temporary file in the same folder, fsync, rename.

    With `durable` the folder is synced too, so that a power failure right after this call cannot restore the old
    content. In both cases a reader sees the complete old content or the complete new one. Without `synced` nothing
    waits for the disk: a power failure may leave an incomplete file, a full disk or a kill may not.

    Raises:
        NotFound: if the folder does not exist.
        BadInput: if the disk is full or read-only; the old content of `path` is unchanged.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        if synced:
            _write_and_sync(draft, content)
        else:
            _fill(draft, content)
        draft.replace(path)
        if durable and synced:
            sync(path.parent, best_effort=True)  # some network file systems refuse; the rename is done all the same
    except OSError as problem:
        _remove(draft)  # before its bytes are counted among those that are not free
        raise unwritable(path, problem) from problem
    except BaseException:
        _remove(draft)
        raise


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def reserve(folder: Path) -> None:
    """Occupy space in `folder` for one file that `write_reserved` writes if the disk is full by then.

    Raises:
        NotFound: if the folder does not exist.
        BadInput: if there is not even that much space.
    """
    path = folder / RESERVE
    try:
        _fill(path, bytes(RESERVE_BYTES))
    except OSError as problem:
        _remove(path)
        raise unwritable(folder / RECORD_FILE, problem) from problem


def write_reserved(path: Path, content: bytes) -> None:
    """Replace `path` by `content` as `write` does, but over the reserve of its folder if the disk is full.

    Raises:
        NotFound: if the folder does not exist.
        BadInput: if the disk is read-only, or full and there is no reserve; `path` is unchanged.
    """
    try:
        write(path, content)
        return
    except BadInput as problem:
        draft = path.with_name(RESERVE)
        if not disk.is_full(problem) or not draft.exists():
            raise
    if len(content) > RESERVE_BYTES:
        release(path.parent)
        write(path, content)
        return
    try:
        _write_and_sync(draft, content)
        draft.replace(path)
    except OSError as problem:
        raise unwritable(path, problem) from problem


def release(folder: Path) -> None:
    """Remove the reserve of `folder`, if there is one."""
    _remove(folder / RESERVE)


def unwritable(path: Path, problem: OSError) -> BadInput | NotFound:
    """Return the error for a file that could not be written."""
    if isinstance(problem, FileNotFoundError):
        return NotFound(f"The folder {path.parent} is gone, so {path.name} was not written. It may have been archived")
    reason = disk.explain(problem, path.parent)
    if reason is None:
        system = problem.strerror or type(problem).__name__
        reason = f"{system}. Check the rights of the folder, or choose another one with paths.outputs="
    return BadInput(f"Could not write {path}, whose old content is unchanged. {reason}")


def _write_and_sync(path: Path, content: bytes | memoryview) -> None:
    _fill(path, content)
    sync(path)


def _fill(path: Path, content: bytes | memoryview) -> None:
    """Write `content` over the blocks that `path` has, and cut off what is left of them."""
    with os.fdopen(open_regular(path, os.O_WRONLY | os.O_CREAT, follow_links=False), "wb") as file:
        file.write(content)
        file.truncate()


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
