"""Times as they stand on record: UTC, ISO 8601, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


def text(moment: datetime) -> str:
    """Return `moment` as it is written in `run.json`: 2026-01-31T09:30:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(written: str) -> datetime:
    """Return the moment that `written` stands for; a time without a zone is taken as UTC.

    Raises:
        ValueError: where it is no ISO 8601 time.
    """
    moment = datetime.fromisoformat(written)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
