"""How `--where` compares what stands on record with what was typed. Pure; a comparison that makes no sense is false."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from mhc import timestamps
from mhc.errors import BadInput
from mhc.index.fields import Kind

Test = Callable[[object, object], bool]
"""(what stands on record, what was typed) -> whether it fits."""

_CONSTANTS: dict[str, object] = {"null": None, "none": None, "true": True, "false": False}
_FLAGS = {"yes": True, "no": False}
_IN_TEXTS = ("~", "!~", "has")
"""Operators that look into a text or a list, so that their value is a text whatever the field holds."""


def operand(text: str, quoted: bool, kind: Kind, operator: str, now: datetime) -> object:
    """What a typed word stands for beside a field of that kind.

    Raises:
        BadInput: where the field can never hold it.
    """
    if not quoted and text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if operator in _IN_TEXTS:
        return _part(text, kind)
    if kind in _READERS:
        value = _READERS[kind](text, now)
        if value is None:
            raise BadInput(f"{_EXPECTED[kind]} is expected here, not {text[:40]!r}")
        return value
    if kind is Kind.ANY and not quoted:
        number = _number(text)
        return text if number is None else number
    return text


def _part(text: str, kind: Kind) -> str:
    """What a text, a list or a group is looked through for."""
    if kind in (Kind.TEXT, Kind.LIST, Kind.GROUP, Kind.ANY):
        return text
    raise BadInput(f"this field is {kind.value}, which has no parts; compare it with = or <")


_READERS: dict[Kind, Callable[[str, datetime], object]] = {
    Kind.TIME: timestamps.moment,
    Kind.NUMBER: lambda text, now: _number(text),
    Kind.SECONDS: lambda text, now: _number(text) if timestamps.seconds(text) is None else timestamps.seconds(text),
    Kind.FLAG: lambda text, now: _FLAGS.get(text.lower()),
    Kind.GROUP: lambda text, now: None,
}
"""How the value of a field of that kind is read; None: it is none."""
_EXPECTED = {
    Kind.TIME: "a time, such as 2026-11-01 or 7d (seven days ago),",
    Kind.NUMBER: "a number",
    Kind.SECONDS: "a number of seconds or a duration, such as 90s, 1h30m or 7d,",
    Kind.FLAG: "true or false",
    Kind.GROUP: "null (this is a group of fields; say which of them you mean)",
}


def _number(text: str) -> float | None:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_null(found: object) -> bool:
    """Whether nothing stands on record."""
    return found is None or found == ""


def is_true(found: object) -> bool:
    """Whether a field that stands alone holds: true, or a number, text or list that is not empty."""
    return bool(found)


def equal(found: object, value: object) -> bool:
    """Whether both are the same; a list is equal to what it has."""
    if value is None:
        return is_null(found)
    if isinstance(found, list):
        return has(found, value)
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    pair = _ordered(found, value)
    return pair is not None and pair[0] == pair[1]


def has(found: object, value: object) -> bool:
    """Whether a list has an element, a group a field, or a text a part."""
    if isinstance(found, list):
        return any(equal(item, value) or str(item) == str(value) for item in found)
    if isinstance(found, Mapping):
        return str(value) in found
    return contains(found, value)


def contains(found: object, value: object) -> bool:
    """Whether a text, or a text of a list, has a part; upper and lower case are the same."""
    if isinstance(found, list):
        return any(contains(item, value) for item in found)
    return isinstance(found, str) and str(value).lower() in found.lower()


def holds_one_of(found: object, values: list[object]) -> bool:
    """Whether it equals one of the values."""
    return any(equal(found, value) for value in values)


def _ordered(found: object, value: object) -> tuple[float, float] | tuple[str, str] | None:
    """Both as things that can be compared with each other; None where they cannot."""
    if isinstance(value, datetime):
        seconds = _seconds(found)
        return None if seconds is None else (seconds, value.timestamp())
    if isinstance(found, bool) or isinstance(value, bool):
        return None
    if isinstance(found, int | float) and isinstance(value, int | float):
        return (found, value)
    if isinstance(found, str) and isinstance(value, str):
        return (found, value)
    return None


def _seconds(found: object) -> float | None:
    """A time on record, as text or (from the index) as Unix seconds."""
    if isinstance(found, int | float) and not isinstance(found, bool):
        return float(found)
    try:
        moment = datetime.fromisoformat(str(found))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _less(found: object, value: object) -> bool:
    pair = _ordered(found, value)
    return pair is not None and pair[0] < pair[1]  # type: ignore[operator]  # both of one kind


def _at_most(found: object, value: object) -> bool:
    pair = _ordered(found, value)
    return pair is not None and pair[0] <= pair[1]  # type: ignore[operator]  # both of one kind


def _more(found: object, value: object) -> bool:
    return _ordered(found, value) is not None and not _at_most(found, value)


def _at_least(found: object, value: object) -> bool:
    return _ordered(found, value) is not None and not _less(found, value)


OPERATORS: dict[str, Test] = {
    "=": equal,
    "==": equal,
    "!=": lambda found, value: not equal(found, value),
    "<>": lambda found, value: not equal(found, value),
    "<": _less,
    "<=": _at_most,
    ">": _more,
    ">=": _at_least,
    "~": contains,
    "!~": lambda found, value: not contains(found, value),
    "has": has,
}
