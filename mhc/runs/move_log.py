"""The log of moves of run folders: `outputs/events.jsonl`, one line per move.

A move is not written to `run.json`, so a run that was archived and restored is unchanged to the byte.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from mhc import files, timestamps
from mhc.errors import Unreadable

FILE = "events.jsonl"


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    at: str
    run: str
    what: str
    """archived, restored, purged."""
    by: str
    """The user, the callback or the command."""
    why: str = ""


def add(outputs: Path, *, run: str, what: str, by: str, why: str, now: datetime) -> Move:
    """Append and return one line, in a single write, so that lines of several processes do not mix.

    Raises:
        OSError: if it cannot be written.
    """
    move = Move(at=timestamps.format_time(now), run=run, what=what, by=by, why=why)
    descriptor = files.open_regular(outputs / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, msgspec.json.encode(move) + b"\n")
    finally:
        os.close(descriptor)
    return move


def read(outputs: Path) -> list[Move]:
    """Return all moves in the order they were written, without lines that are damaged, as a full disk leaves them."""
    try:
        lines = files.read(outputs / FILE).splitlines()
    except OSError:
        return []
    moves = []
    for line in lines:
        with suppress(Unreadable), files.reading(FILE):
            moves.append(msgspec.json.decode(line, type=Move))
    return moves
