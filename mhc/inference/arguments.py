"""Arguments `key=value` of `mhc.predict` and `mhc.evaluate`: as in training, but parsed without Hydra. Pure."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from mhc.errors import BadConfig

Keys = Mapping[str, str]
"""Keys, each with a line of help."""

MODEL_KEYS: Keys = {
    "run": "a run: its folder, or the beginning or the end of its id",
    "bundle": "a bundle: its name, an alias such as champion, or its folder (with a slash)",
    "task": "the task of the alias, if several have it: see mhc champion [the first that had it]",
}
HARDWARE_KEYS: Keys = {
    "precision": "fp32, bf16, or auto: bf16 if the hardware has it [auto]",
    "device": "auto, cpu, cuda, mps [auto]",
}
FOLDER_KEYS: Keys = {
    "paths.outputs": "folder of the runs [outputs]",
    "paths.models": "folder of the bundles [models]",
}
FOLDERS = {"outputs": "outputs", "models": "models", "cache": ".cache"}
"""Default folders."""


def parse(words: Sequence[str], keys: Keys) -> dict[str, str]:
    """Return the values by key.

    Raises:
        BadConfig: if a word is not `key=value`, or a key is unknown or given twice.
    """
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.removeprefix("--").removeprefix("+")
        if not equals:
            raise BadConfig(f"{word[:40]!r} is not key=value. Keys are: {', '.join(keys)}")
        if key not in keys:
            raise BadConfig(f"There is no key {key[:40]!r}{suggestion(key, keys)}. Keys are: {', '.join(keys)}")
        if key in values:
            raise BadConfig(f"{key}= is given twice. Leave one out")
        values[key] = value
    return values


def suggestion(key: str, keys: Keys) -> str:
    """Return `; did you mean 'x'` for the closest key, or nothing."""
    close = get_close_matches(key, keys, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}" if close else ""


def number(values: Mapping[str, str], key: str, low: float, high: float) -> float | None:
    """Return a number between two bounds, or None if it is not given.

    Raises:
        BadConfig: if the value is not a number, or is out of bounds.
    """
    if key not in values:
        return None
    try:
        value = float(values[key])
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadConfig(f"{key}={values[key][:40]} must be a number from {low:g} to {high:g}")
    return value


def names(values: Mapping[str, str], key: str) -> tuple[str, ...]:
    """Return one name, or the names of a list `[a,b]`; a name with a comma in a list is in double quotes."""
    value = values.get(key, "")
    if value.startswith("[") and value.endswith("]"):
        return tuple(name.strip() for name in next(csv.reader([value[1:-1]], skipinitialspace=True), []))
    return (value,) if value else ()


def one_of(values: Mapping[str, str], *keys: str) -> str:
    """Return the one key of these that has a value.

    Raises:
        BadConfig: if none or several have one.
    """
    present = [key for key in keys if values.get(key)]
    if len(present) != 1:
        choices = " or ".join(f"{key}=" for key in keys)
        raise BadConfig(f"Give {choices}" + (f", not {len(present)} of them" if present else ""))
    return present[0]


def folder(values: Mapping[str, str], what: str, environment: Mapping[str, str]) -> Path:
    """Return the folder `what` of `FOLDERS`: as given, from the environment, or the default."""
    return Path(values.get(f"paths.{what}") or environment.get(f"MHC_{what.upper()}") or FOLDERS[what])


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether one of the words is -h or --help."""
    return any(word in ("-h", "--help") for word in words)


def usage(summary: str, keys: Keys) -> str:
    """Return the help: the summary of the command, and every key."""
    width = max(len(key) for key in keys) + 1
    return "\n".join([summary, "", *(f"  {key + '=':<{width}}  {text}" for key, text in keys.items())])
