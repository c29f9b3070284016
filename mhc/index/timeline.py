"""What happened to all runs, in order of time: the histories of the records, and the moves of the folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from mhc import timestamps
from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.index.selection import with_json
from mhc.record import Event
from mhc.runs import move_log


class Happening(NamedTuple):
    """One event of one run."""

    time: float
    """Unix seconds; 0 where the record does not say a time that can be read."""
    at: str
    run: str
    what: str
    by: str
    why: str


class _History(msgspec.Struct):
    """The part of a record that is read here."""

    history: list[Event] = []


def events(index: Index, since: float = 0.0, run: Row | None = None, latest: int = 0) -> list[Happening]:
    """Events after `since` (Unix seconds), of one run or of all; the `latest` of them (0: all), oldest first."""
    rows = [run] if run else _changed(index, since, latest)
    found = {event for event in [*_told(index, rows), *_moves(index)] if run is None or event.run == run.id}
    wanted = sorted(event for event in found if event.time > since or not since)
    return wanted[-latest:]


def _changed(index: Index, since: float, latest: int) -> list[Row]:
    """Runs that can have such an event: the latest N events belong to the N runs that changed last."""
    limit = f" LIMIT {latest:d}" if latest else ""
    return index.rows("error = '' AND (changed > ? OR ? = 0)", [since, since], f"changed DESC{limit}")


def _told(index: Index, rows: list[Row]) -> Iterator[Happening]:
    """What the records tell."""
    decoder = msgspec.json.Decoder(_History)
    for row, content in with_json(index, rows):
        for event in decoder.decode(content).history:
            yield Happening(_time(event.at), event.at, row.id, event.what, event.by, event.why)


def _moves(index: Index) -> Iterator[Happening]:
    """What the journal of the folders tells."""
    for entry in move_log.read(index.outputs):
        yield Happening(_time(entry.at), entry.at, entry.run, entry.what, entry.by, entry.why)


def _time(at: str) -> float:
    try:
        return timestamps.parse(at).timestamp()
    except ValueError:
        return 0.0
