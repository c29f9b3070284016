"""Times on record (UTC, ISO 8601, milliseconds), and durations (`7d`) and times as users type them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mhc.errors import BadInput


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


UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "mo": 2629800.0, "y": 31557600.0}
"""Seconds. A month is a twelfth of a year of 365.25 days."""

_PART = re.compile(r"(\d+(?:\.\d+)?)(mo|[smhdwy])")
_WHOLE = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:mo|[smhdwy]))+")


def seconds(text: str) -> float | None:
    """`90s`, `1h30m`, `7d`, `2w`, `3mo`, `1y` in seconds; None where the text is no duration."""
    if not _WHOLE.fullmatch(text):
        return None
    return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))


def moment(text: str, now: datetime) -> datetime | None:
    """An ISO 8601 date or time (UTC where it says no zone), or a duration before `now`; None where it is neither."""
    back = seconds(text)
    try:
        if back is not None:
            return now - timedelta(seconds=back)
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def since(text: str, now: datetime) -> datetime:
    """Like `moment`, for an option.

    Raises:
        BadInput: where the text is neither.
    """
    found = moment(text, now)
    if found is None:
        raise BadInput(
            f"{text[:40]!r} is no time. Give how long ago (90m, 36h, 7d, 2w, 3mo) or a date (2026-11-01, "
            "2026-11-01T09:30)"
        )
    return found
