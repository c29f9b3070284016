"""The index's tables, and what a record looks like as a row of them. Pure: nothing here touches a disk.

The index is thrown away when VERSION changes, so there are no migrations.
"""

from __future__ import annotations

from typing import NamedTuple

from mhc import timestamps
from mhc.facts import Metrics
from mhc.record import RunRecord, location_of

VERSION = 2
"""Kept in SQLite's user_version; raise it with every change of SCHEMA or of `row_of`."""

SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    path TEXT PRIMARY KEY, location TEXT NOT NULL, error TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    status TEXT NOT NULL, shown TEXT NOT NULL, reason TEXT NOT NULL, category TEXT,
    created REAL, started REAL, ended REAL, changed REAL, duration REAL,
    sweep TEXT, grp TEXT, seed INTEGER, model TEXT, parameters INTEGER,
    accuracy REAL, f1_macro REAL, val_accuracy REAL, val_f1_macro REAL,
    candidate INTEGER, pinned INTEGER NOT NULL, tags TEXT NOT NULL
);
CREATE INDEX newest ON runs (created DESC, id);
CREATE INDEX by_id ON runs (id);
CREATE INDEX counted ON runs (error, shown, category, candidate, location, id);
CREATE INDEX recently_changed ON runs (changed);
CREATE INDEX claimed ON runs (path) WHERE status = 'running';
CREATE TABLE records (path TEXT PRIMARY KEY, json BLOB NOT NULL, words TEXT NOT NULL);
CREATE TABLE configs (path TEXT PRIMARY KEY, words TEXT NOT NULL);
"""


class Row(NamedTuple):
    """One run as the index keeps it. Times are Unix seconds; scores are of the test split."""

    path: str
    """As `mhc.index.scan.scan` gives it."""
    location: str
    error: str
    """Why the record cannot be read; empty for one that can."""
    id: str
    name: str
    status: str
    """As recorded."""
    shown: str
    """As derived: `lost` where the record says running and the process is gone."""
    reason: str
    """Of the shown status."""
    category: str | None
    created: float | None
    started: float | None
    ended: float | None
    changed: float | None
    """Time of the last event."""
    duration: float | None
    """Seconds from start to end; None while running."""
    sweep: str | None
    grp: str | None
    seed: int | None
    model: str | None
    parameters: int | None
    accuracy: float | None
    f1_macro: float | None
    val_accuracy: float | None
    val_f1_macro: float | None
    candidate: int | None
    pinned: int
    tags: str
    """One a line."""


def row_of(path: str, record: RunRecord) -> Row:
    """What the index keeps of a record that could be read."""
    created, started, ended = (_seconds(at) for at in (record.created_at, record.started_at, record.ended_at))
    begun = created if started is None else started
    events = [at for at in (_seconds(event.at) for event in record.history[-3:]) if at is not None]
    test, val = (split or Metrics() for split in (record.metrics.test, record.metrics.val))
    return Row(
        path=path,
        location=location_of(path).value,
        error="",
        id=record.id,
        name=record.name,
        status=record.status.value,
        shown=record.status.value,
        reason=record.status_reason,
        category=record.category.value if record.category else None,
        created=created,
        started=started,
        ended=ended,
        changed=max(events, default=created),
        duration=None if ended is None or begun is None else ended - begun,
        sweep=record.sweep.id if record.sweep else None,
        grp=record.group or None,
        seed=_small(record.seed),
        model=record.model.name if record.model else None,
        parameters=_small(record.model.parameters if record.model else None),
        accuracy=test.accuracy,
        f1_macro=test.f1_macro,
        val_accuracy=val.accuracy,
        val_f1_macro=val.f1_macro,
        candidate=record.promotion.candidate,
        pinned=record.pinned,
        tags="\n".join(record.tags),
    )


def row_of_unreadable(path: str, why: str) -> Row:
    """What the index keeps of a folder whose record cannot be read: its place and the reason."""
    name = path.rsplit("/", 1)[-1]
    kept = dict.fromkeys(Row._fields) | {"path": path, "location": location_of(path).value, "error": why, "id": name}
    return Row(**kept | {"name": name, "status": "", "shown": "", "reason": "", "pinned": 0, "tags": ""})  # type: ignore[arg-type]


def words_of(record: RunRecord) -> str:
    """What `search` looks through besides the config: in lower case, one a line."""
    texts = [record.id, record.name, record.description, record.note, *record.tags, *record.lineage.overrides]
    return "\n".join(texts).lower()


def _seconds(at: str | None) -> float | None:
    if not at:
        return None
    try:
        return timestamps.parse(at).timestamp()
    except ValueError:
        return None


def _small(value: int | None) -> int | None:
    """SQLite's integers have 64 bits."""
    return value if value is not None and abs(value) < 2**63 else None
