"""What happened to the folders of runs: `outputs/events.jsonl`, one line per move.

A move is not written into `run.json`, so that a run that was archived and restored is the same to the byte.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec

from mhc import timestamps

FILE = "events.jsonl"


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One line."""

    at: str
    run: str
    what: str
    """archived, restored, purged."""
    by: str
    """The person, the callback or the command."""
    why: str = ""


def add(outputs: Path, *, run: str, what: str, by: str, why: str, now: datetime) -> Move:
    """Append one line, in one write, so that lines of several processes do not mix.

    Raises:
        OSError: where it cannot be written.
    """
    entry = Move(at=timestamps.format_time(now), run=run, what=what, by=by, why=why)
    descriptor = os.open(outputs / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, msgspec.json.encode(entry) + b"\n")
    finally:
        os.close(descriptor)
    return entry


def read(outputs: Path) -> list[Move]:
    """Return all entries in the order they were written; a line that was cut off by a full disk is left out."""
    try:
        lines = (outputs / FILE).read_bytes().splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(msgspec.json.decode(line, type=Move))
        except msgspec.MsgspecError:
            continue
    return entries
