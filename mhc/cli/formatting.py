"""Numbers and times as words that fit a table. Pure: `now` comes in as an argument."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NOTHING = "-"
"""Stands for what is not on record."""


def now() -> datetime:
    """The time of the command, UTC."""
    return datetime.now(UTC)


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time of a record; None for none and for one that is not a time. Without a zone it is UTC."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def duration(seconds: float | None) -> str:
    """`0.4s`, `42s`, `3m10s`, `2h05m`, `4d11h`."""
    if seconds is None:
        return NOTHING
    seconds = max(seconds, 0.0)
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < MINUTE:
        return f"{seconds:.0f}s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)}m{int(seconds % MINUTE):02d}s"
    if seconds < DAY:
        return f"{int(seconds // HOUR)}h{int(seconds % HOUR // MINUTE):02d}m"
    return f"{int(seconds // DAY)}d{int(seconds % DAY // HOUR):02d}h"


def age(at: str | None, now: datetime) -> str:
    """How long ago a time on record is; see `since`."""
    then = moment(at)
    return since(None if then is None else then.timestamp(), now)


def since(at: float | None, now: datetime) -> str:
    """How long ago a time in Unix seconds is: `now`, `7m`, `5h`, `12d`, `14mo`, `3y`."""
    if at is None:
        return NOTHING
    seconds = now.timestamp() - at
    steps = ((DAY * 730, DAY * 365.25, "y"), (DAY * 90, DAY * 30.44, "mo"), (DAY, DAY, "d"), (HOUR, HOUR, "h"))
    for least, unit, letter in (*steps, (MINUTE, MINUTE, "m")):
        if seconds >= least:
            return f"{int(seconds // unit)}{letter}"
    return "now"


def score(value: float | None) -> str:
    """A metric with three decimals."""
    return NOTHING if value is None else f"{value:.3f}"


def size(count: int | None) -> str:
    """Bytes as `512 B`, `3.4 MB`, `1.2 GB` (powers of 1,000)."""
    if count is None:
        return NOTHING
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def amount(value: float | int | None) -> str:
    """A count or a number: `12,345`, `0.0003`, `4.7M` from ten million."""
    if value is None:
        return NOTHING
    if isinstance(value, int):
        return f"{value / 1e6:,.1f}M" if abs(value) >= 10_000_000 else f"{value:,}"
    return f"{value:.4g}"


def when(at: str | None) -> str:
    """A time to the second, with its zone: `2026-11-23 05:38:12 UTC`."""
    then = moment(at)
    return NOTHING if then is None else f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
