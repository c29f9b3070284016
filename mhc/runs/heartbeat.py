"""The sign of life of a run: a thread touches a file, and stops with the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mhc.record import RECORD_FILE
from mhc.runs.liveness import HEARTBEAT

_beating: dict[Path, Heartbeat] = {}
"""The heartbeats of this process, by folder."""


class Heartbeat(threading.Thread):
    """Touch `folder`/heartbeat every `interval` seconds, and call `notice` when somebody else wrote the record.

    It waits on an event and needs the interpreter for microseconds, so a busy main thread delays it by no more than
    the longest single C call that keeps the interpreter's lock. A fork (a data loader's worker) does not inherit it.
    It never makes a folder: one that was moved away stays away.
    """

    def __init__(self, folder: Path, interval: float, notice: Callable[[], object]) -> None:
        super().__init__(name=f"heartbeat of {folder.name}", daemon=True)
        self.folder, self.interval, self.notice = folder, interval, notice
        self.over = threading.Event()
        self.seen = record_stamp(folder)

    def run(self) -> None:
        """Beat until told to stop."""
        while not self.over.wait(self.interval):
            with suppress(OSError):  # a file server that is away for a while; the next beat tries again
                self.beat()

    def beat(self) -> None:
        """Touch the file once, by the clock of the file system, and look whether the record was changed."""
        touch(self.folder)
        stamp = record_stamp(self.folder)
        if stamp != self.seen:
            self.seen = stamp
            self.notice()


def touch(folder: Path) -> None:
    """Make `folder`/heartbeat, or set its time to now on the file system's clock."""
    path = folder / HEARTBEAT
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        os.utime(path)
    finally:
        os.close(descriptor)


def record_stamp(folder: Path) -> tuple[int, int] | None:
    """Return what changes whenever the record is replaced."""
    try:
        status = (folder / RECORD_FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def start(folder: Path, interval: float, notice: Callable[[], object]) -> None:
    """Begin to beat for `folder`; beats once at once.

    Raises:
        OSError: where the file cannot be made.
    """
    stop(folder)
    touch(folder)
    beat = Heartbeat(folder, interval, notice)
    _beating[folder] = beat
    beat.start()


def stop(folder: Path) -> None:
    """End the heartbeat of `folder`, if this process has one, and wait until it has."""
    beat = _beating.pop(folder, None)
    if beat is None:
        return
    beat.over.set()
    if beat is not threading.current_thread():
        beat.join(timeout=5.0)
