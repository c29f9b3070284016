"""The words `key=value` of `mhc.predict` and `mhc.evaluate`, typed as for training but read without Hydra. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from mhc.errors import BadConfig

Known = Mapping[str, str]
"""What each key means, in a line."""


def parse(words: Sequence[str], known: Known) -> dict[str, str]:
    """Return the values by key.

    Raises:
        BadConfig: a word is no `key=value`, a key is not known, or is said twice.
    """
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.removeprefix("--").removeprefix("+")
        if not equals:
            raise BadConfig(f"{word[:40]!r} is no key=value. Keys are: {', '.join(known)}")
        if key not in known:
            raise BadConfig(f"There is no key {key[:40]!r}{nearest(key, known)}. Keys are: {', '.join(known)}")
        if key in values:
            raise BadConfig(f"{key}= is said twice. Leave one out")
        values[key] = value
    return values


def nearest(key: str, known: Known) -> str:
    """Return `; did you mean 'x'` for the closest key, or nothing."""
    close = get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}" if close else ""


def number(values: Mapping[str, str], key: str, low: float, high: float) -> float | None:
    """Return a number between two bounds, or None where it was not said.

    Raises:
        BadConfig: it is no number, or lies outside.
    """
    if key not in values:
        return None
    try:
        value = float(values[key])
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadConfig(f"{key}={values[key][:40]} has to be a number from {low:g} to {high:g}")
    return value


def one_of(values: Mapping[str, str], *keys: str) -> str:
    """Return the one of these keys that was said.

    Raises:
        BadConfig: none or several were.
    """
    said = [key for key in keys if values.get(key)]
    if len(said) != 1:
        choices = " or ".join(f"{key}=" for key in keys)
        raise BadConfig(f"Say {choices}" + (f", not {len(said)} of them" if said else ""))
    return said[0]


def usage(summary: str, known: Known) -> str:
    """Return the help: what the command does, and every key."""
    width = max(len(key) for key in known) + 1
    return "\n".join([summary, "", *(f"  {key + '=':<{width}}  {meaning}" for key, meaning in known.items())])
