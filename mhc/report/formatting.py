"""Format numbers, times and other recorded values for tables. Pure: `now` is an argument."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mhc.report.tables import MISSING, score
from mhc.timestamps import parse_recorded

if TYPE_CHECKING:
    from mhc.index.seed_groups import Spread

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def format_time(at: str | float | None) -> str:
    """Return a recorded time, in ISO 8601 or in Unix seconds, to the second: `2026-11-23 05:38:12 UTC`."""
    moment = _moment(at)
    return MISSING if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def format_age(at: str | float | None, now: datetime) -> str:
    """Return how long ago a recorded time is: `now`, `7m`, `5h`, `12d`, `14mo`, `3y`."""
    moment = _moment(at)
    if moment is None:
        return MISSING
    seconds = (now - moment).total_seconds()
    steps = ((DAY * 730, DAY * 365.25, "y"), (DAY * 90, DAY * 30.44, "mo"), (DAY, DAY, "d"), (HOUR, HOUR, "h"))
    for minimum, unit, letter in (*steps, (MINUTE, MINUTE, "m")):
        if seconds >= minimum:
            return f"{int(seconds // unit)}{letter}"
    return "now"


def _moment(at: str | float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else parse_recorded(at)


def format_duration(seconds: float | None) -> str:
    """Return `0.4s`, `42s`, `3m10s`, `2h05m`, `4d11h`."""
    if seconds is None:
        return MISSING
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


def format_size(count: int | None) -> str:
    """Return a number of bytes as `512 B`, `3.4 MB`, `1.2 GB` (powers of 1,000)."""
    if count is None:
        return MISSING
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def format_number(value: float | int | None) -> str:
    """Return a count or a number: `12,345`, `0.0003`, `4.7M` from ten million."""
    if value is None:
        return MISSING
    if isinstance(value, int):
        return f"{value / 1e6:,.1f}M" if abs(value) >= 10_000_000 else f"{value:,}"
    return f"{value:.4g}"


def format_value(value: object) -> str:
    """Return any recorded value as one short line."""
    if value is None or value == [] or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return format_number(value)
    if isinstance(value, list):
        return ", ".join(format_value(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={format_value(item)}" for key, item in value.items())
    return str(value)


def format_mean(spread: Spread | None) -> str:
    """Return mean and standard deviation, `0.612 ± 0.013`; the mean alone if there is one value."""
    if spread is None:
        return MISSING
    return f"{score(spread.mean)} ± {score(spread.sd)}" if spread.sd is not None else score(spread.mean)


def format_interval(spread: Spread | None) -> str:
    """Return the interval of the mean: `0.596 to 0.628`."""
    if spread is None or spread.low is None:
        return MISSING
    return f"{score(spread.low)} to {score(spread.high)}"
