"""Operators of `--where`: compare a recorded value with a given one. Pure; a comparison without meaning is false."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime

from mhc import timestamps
from mhc.errors import BadInput
from mhc.index.fields import Kind

Test = Callable[[object, object], bool]
"""(recorded value, given value) -> whether the operator holds."""

_CONSTANTS: dict[str, object] = {"null": None, "none": None, "true": True, "false": False}
_FLAGS = {"yes": True, "no": False}
_CONTAINMENT = ("~", "!~", "has")
"""Operators that search in a text or a list; the given value is a text whatever the type of the field."""


def parse_operand(text: str, kind: Kind, operator: str, now: datetime, *, quoted: bool) -> object:
    """Return the value that a word of an expression has for a field of that kind.

    Raises:
        BadInput: if such a field can never have the value.
    """
    if not quoted and text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if operator in _CONTAINMENT:
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
    """Return the text to search for in a text, a list or a group."""
    if kind in (Kind.TEXT, Kind.LIST, Kind.GROUP, Kind.ANY):
        return text
    raise BadInput(f"this field is {kind.value}, which has no parts; compare it with = or <")


_READERS: dict[Kind, Callable[[str, datetime], object]] = {
    Kind.TIME: timestamps.parse_moment,
    Kind.NUMBER: lambda text, now: _number(text),
    Kind.SECONDS: lambda text, now: _number_or_duration(text),
    Kind.FLAG: lambda text, now: _FLAGS.get(text.lower()),
    Kind.GROUP: lambda text, now: None,
}
"""Parsers of the given value, by the kind of the field; they return None for an invalid value."""
_EXPECTED = {
    Kind.TIME: "a time, such as 2026-11-01 or 7d (seven days ago),",
    Kind.NUMBER: "a number",
    Kind.SECONDS: "a number of seconds or a duration, such as 90s, 1h30m or 7d,",
    Kind.FLAG: "true or false",
    Kind.GROUP: "null (this is a group of fields; name one of them to compare it)",
}


def _number(text: str) -> float | None:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _number_or_duration(text: str) -> float | None:
    duration = timestamps.parse_duration(text)
    return _number(text) if duration is None else duration


def is_null(value: object) -> bool:
    """Return whether nothing is recorded: no value, an empty text, or a list or group without a value in it."""
    if isinstance(value, Mapping):
        return all(is_null(inner) for inner in value.values())
    if isinstance(value, list):
        return all(is_null(inner) for inner in value)
    return value is None or value == ""


def is_true(value: object) -> bool:
    """Return whether a field without an operator holds: true, a number but 0, or a text, list or group with content."""
    return bool(value) and not is_null(value)


def equal(value: object, operand: object) -> bool:
    """Return whether both are equal; a list is equal to each of its elements."""
    if operand is None:
        return is_null(value)
    if isinstance(value, list):
        return has(value, operand)
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    pair = _comparable(value, operand)
    return pair is not None and pair[0] == pair[1]


def has(value: object, operand: object) -> bool:
    """Return whether a list has an element, a group a field, or a text a part."""
    if isinstance(value, list):
        return any(equal(item, operand) or str(item) == str(operand) for item in value)
    if isinstance(value, Mapping):
        return str(operand) in value
    return contains(value, operand)


def contains(value: object, operand: object) -> bool:
    """Return whether a text, or a text of a list, contains a part (case-insensitive)."""
    if isinstance(value, list):
        return any(contains(item, operand) for item in value)
    return isinstance(value, str) and str(operand).lower() in value.lower()


def is_one_of(value: object, operands: list[object]) -> bool:
    """Return whether the recorded value equals one of the given ones."""
    return any(equal(value, operand) for operand in operands)


def _comparable(value: object, operand: object) -> tuple[float, float] | tuple[str, str] | None:
    """Return both as values of one type; None if they cannot be compared."""
    if isinstance(operand, datetime):
        seconds = _unix_time(value)
        return None if seconds is None else (seconds, operand.timestamp())
    if isinstance(value, bool) or isinstance(operand, bool):
        return None
    if isinstance(value, int | float) and isinstance(operand, int | float):
        return (value, operand)
    if isinstance(value, str) and isinstance(operand, str):
        return (value, operand)
    return None


def _unix_time(value: object) -> float | None:
    """Return a recorded time, which is a text, or (from the index) Unix seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return timestamps.parse_unix(str(value))


def _less(value: object, operand: object) -> bool:
    pair = _comparable(value, operand)
    return pair is not None and pair[0] < pair[1]  # type: ignore[operator]  # both of one type


def _at_most(value: object, operand: object) -> bool:
    pair = _comparable(value, operand)
    return pair is not None and pair[0] <= pair[1]  # type: ignore[operator]  # both of one type


def _greater(value: object, operand: object) -> bool:
    return _comparable(value, operand) is not None and not _at_most(value, operand)


def _at_least(value: object, operand: object) -> bool:
    return _comparable(value, operand) is not None and not _less(value, operand)


OPERATORS: dict[str, Test] = {
    "=": equal,
    "==": equal,
    "!=": lambda value, operand: not equal(value, operand),
    "<>": lambda value, operand: not equal(value, operand),
    "<": _less,
    "<=": _at_most,
    ">": _greater,
    ">=": _at_least,
    "~": contains,
    "!~": lambda value, operand: not contains(value, operand),
    "has": has,
}
