"""The heartbeat of a run: a thread that touches a file, and ends with the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mhc.errors import MhcError
from mhc.record import RECORD_FILE
from mhc.runs import end_request, own_folder
from mhc.runs.liveness import HEARTBEAT

_heartbeats: dict[Path, Heartbeat] = {}
"""The heartbeats of this process, by folder."""


class Heartbeat(threading.Thread):
    """A thread that touches `folder`/heartbeat every `interval` seconds.

    It calls `on_change` if the record was written, which another process may have done. It waits on an event and needs
    the interpreter for microseconds, so a busy main thread delays it by no more than the longest single C call that
    holds the interpreter's lock. A fork (a worker of a data loader) does not inherit it. It never creates a folder: in
    one that was moved it goes on, and asks the training to end.
    """

    def __init__(self, folder: Path, interval: float, on_change: Callable[[], object]) -> None:
        super().__init__(name=f"heartbeat of {folder.name}", daemon=True)
        self.folder, self.interval, self.on_change = folder, interval, on_change
        self.stopped = threading.Event()
        self.stamp = record_stamp(folder)

    def run(self) -> None:
        """Beat until `stopped` is set."""
        while not self.stopped.wait(self.interval):
            with suppress(OSError, MhcError):  # a file server may be unavailable for a while; the next beat tries again
                self.beat()

    def beat(self) -> None:
        """Touch the file once, on the clock of the file system; check whether folder or record were changed."""
        with suppress(FileNotFoundError):  # the folder was deleted, which the next line finds, too
            own_folder.touch(self.folder, HEARTBEAT)
        try:
            own_folder.check(self.folder)
        except own_folder.FolderMoved as moved:
            end_request.remember(moved)
            return
        stamp = record_stamp(self.folder)
        if stamp != self.stamp:
            self.stamp = stamp
            self.on_change()


def record_stamp(folder: Path) -> tuple[int, int] | None:
    """Return a value that changes whenever the record is replaced; None if there is no record."""
    try:
        status = (folder / RECORD_FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def start(folder: Path, interval: float, on_change: Callable[[], object]) -> None:
    """Start the heartbeat of `folder`, with a first beat at once.

    Raises:
        OSError: if the file cannot be created.
    """
    stop(folder)
    own_folder.touch(folder, HEARTBEAT)
    beat = Heartbeat(folder, interval, on_change)
    _heartbeats[folder] = beat
    beat.start()


def stop(folder: Path) -> None:
    """Stop the heartbeat of `folder`, if this process has one, and wait for its thread to end."""
    beat = _heartbeats.pop(folder, None)
    if beat is None:
        return
    beat.stopped.set()
    if beat is not threading.current_thread():
        beat.join(timeout=5.0)
