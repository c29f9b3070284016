"""Times as they are recorded (UTC, ISO 8601, milliseconds), and times and durations (`7d`) as users type them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from mhc.errors import BadInput

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "mo": 2629800.0, "y": 31557600.0}
"""Seconds. A month is a twelfth of a year of 365.25 days."""

_PART = re.compile(r"(\d+(?:\.\d+)?)(mo|[smhdwy])")
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:mo|[smhdwy]))+")
_AGE = re.compile(r"[0-9]{1,6}[hdw]")


def now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


def format_time(time: datetime, precision: str = "milliseconds") -> str:
    """Return `time` as it is written in `run.json`: 2026-01-31T09:30:00.000Z.

    `precision` is the `timespec` of `datetime.isoformat`.
    """
    return time.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def parse_time(text: str, zone: tzinfo = UTC) -> datetime:
    """Return the time that an ISO 8601 text gives, in UTC; a time without a time zone is in `zone`.

    Raises:
        ValueError: if `text` is not an ISO 8601 time.
        OverflowError: if the time in UTC is outside the years 1 to 9999.
    """
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)


def parse_recorded(text: str | None) -> datetime | None:
    """Return the time of a record's field; None if the field is empty or not an ISO 8601 time."""
    try:
        return parse_time(text) if text else None
    except (ValueError, OverflowError):
        return None


def parse_unix(text: str | None) -> float | None:
    """Return the time of a record's field in Unix seconds; None if the field is empty or not an ISO 8601 time."""
    time = parse_recorded(text)
    return None if time is None else time.timestamp()


def parse_duration(text: str) -> float | None:
    """Return `90s`, `1h30m`, `7d`, `2w`, `3mo` or `1y` in seconds; None if `text` is not a duration."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))


def parse_moment(text: str, now: datetime) -> datetime | None:
    """Return the time of an ISO 8601 date or time, or that of a duration before `now`; None if `text` is neither."""
    duration = parse_duration(text)
    if duration is None:
        return parse_recorded(text)
    try:
        return now - timedelta(seconds=duration)
    except OverflowError:
        return None


def parse_time_option(text: str, now: datetime) -> datetime:
    """Return the time given by an option: see `parse_moment`.

    Raises:
        BadInput: if `text` is neither a time nor a duration.
    """
    time = parse_moment(text, now)
    if time is None:
        raise BadInput(
            f"{text[:40]!r} is no time. Give how long ago (90m, 36h, 7d, 2w, 3mo) or a date (2026-11-01, "
            "2026-11-01T09:30)"
        )
    return time


def parse_age_option(text: str) -> timedelta:
    """Return the age given by an option in whole hours, days or weeks: `48h`, `30d`, `12w`.

    Shorter units are refused: the option deletes runs, and `3m` could be meant as months.

    Raises:
        BadInput: if `text` is not such an age.
    """
    seconds = parse_duration(text) if _AGE.fullmatch(text) else None
    if seconds is None:
        raise BadInput(f"{text[:40]!r} is no age. Give a number of hours, days or weeks: 48h, 30d, 12w")
    return timedelta(seconds=seconds)


def parse_end(text: str) -> datetime:
    """Return the last millisecond of an ISO 8601 date, in UTC, or an ISO 8601 time as it is.

    Raises:
        BadInput: if `text` is neither.
    """
    try:
        time = parse_time(text)
    except (ValueError, OverflowError):
        raise BadInput(f"{text!r} is no date. Write 2026-03-01, or 2026-03-01T12:30:00") from None
    return time + timedelta(days=1, milliseconds=-1) if len(text) == len("2026-03-01") else time
