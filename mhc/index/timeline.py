"""The events of all runs in order of time: the histories of the records, and the moves of the folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from mhc.index.index import Index
from mhc.index.records import with_json
from mhc.index.rows import Row
from mhc.record import Event
from mhc.runs import move_log
from mhc.timestamps import parse_unix


class TimelineEvent(NamedTuple):
    """One event of one run."""

    time: float
    """Unix seconds; 0 if the record has no valid time."""
    at: str
    run: str
    what: str
    by: str
    why: str


class _History(msgspec.Struct):
    """The part of a record that is read here."""

    history: list[Event] = []


def events(index: Index, since: float = 0.0, run: Row | None = None, latest: int = 0) -> list[TimelineEvent]:
    """Return the events after `since` (Unix seconds), of one run or of all; the `latest` (0: all), oldest first."""
    rows = [run] if run else index.changed_since(since, latest)  # the latest N events are of the N runs changed last
    timeline = {event for event in [*_recorded(index, rows), *_moves(index)] if run is None or event.run == run.id}
    return sorted(event for event in timeline if event.time > since or not since)[-latest:]


def _recorded(index: Index, rows: list[Row]) -> Iterator[TimelineEvent]:
    """Yield the events of the records."""
    decoder = msgspec.json.Decoder(_History)
    for row, content in with_json(index, rows):
        for event in decoder.decode(content).history:
            yield TimelineEvent(parse_unix(event.at) or 0.0, event.at, row.id, event.what, event.by, event.why)


def _moves(index: Index) -> Iterator[TimelineEvent]:
    """Yield the moves that the move log has."""
    for entry in move_log.read(index.outputs):
        yield TimelineEvent(parse_unix(entry.at) or 0.0, entry.at, entry.run, entry.what, entry.by, entry.why)
