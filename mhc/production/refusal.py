"""A person refuses a candidate: an entry of the ledger, and the run is a candidate no more."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from mhc import redaction, timestamps, user_text
from mhc.errors import MhcError, Refused
from mhc.production import change, ledger, snapshot
from mhc.production.ledger import Entry
from mhc.record import Event, RunRecord
from mhc.runs import store

log = logging.getLogger("mhc.production")


def refusable(run: Path) -> RunRecord:
    """Return the record of a run that can be refused.

    Raises:
        Refused: if the run is in production, or no candidate.
        Unreadable: if the record is damaged.
    """
    record = store.read(run)
    if record.promotion.bundles:
        name = record.promotion.bundles[-1]
        raise Refused(f"{record.id} was promoted as {name}. Take it out of production with mhc rollback or mhc retire")
    if not record.promotion.candidate:
        raise Refused(f"{record.id} is no candidate, so there is nothing to refuse: {record.promotion.reason}")
    return record


def refuse(run: Path, *, by: str, reason: str, models: Path, now: datetime | None = None) -> Entry:
    """Record in the ledger that a person does not want a candidate in production, and end its candidacy.

    Raises:
        BadInput: if the author or the reason is missing.
        Refused: if the run is in production, or no candidate.
        Unreadable: if the record or the ledger is damaged or was changed.
    """
    user_text.require_author("A refusal", by, reason)
    by, reason, now = redaction.text(by), redaction.text(reason), now or timestamps.now()
    with change.changing(models, now) as writer:
        record = refusable(run)
        entry = writer.append(replace(ledger.draft("refused", by, reason), run=record.id), now)
        snapshot.write(writer.models, writer.entries, None, "")
    _end_candidacy(run, by, reason, now)
    return entry


def _end_candidacy(run: Path, by: str, reason: str, now: datetime) -> None:
    """Update the record of the run; a failure is only logged, because the ledger has the refusal."""

    def without_candidacy(record: RunRecord) -> RunRecord:
        return replace(
            record, promotion=replace(record.promotion, candidate=False, reason=f"refused by {by}: {reason}")
        )

    event = Event(at=timestamps.format_time(now), what="refused", by=by, why=reason)
    try:
        store.update(run, without_candidacy, event)
    except MhcError as problem:
        log.warning("%s is refused, but its record could not be updated: %s", run.name, problem)
