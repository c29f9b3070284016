"""The names by which one may ask for what is on record: `f1_macro`, `model.parameters`, `metrics.test.recall.sad`.

Pure. Used by `--where`, `--sort`, `--columns` and `mhc.runs.Runs`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache

import msgspec

from mhc.errors import BadInput
from mhc.record import RunRecord

Path = tuple[str, ...]
Found = object
"""What stands on record under a name: whatever JSON can hold; None where nothing does."""


class Kind(StrEnum):
    """What a field holds, so that a value that cannot fit is found before anything is read."""

    NUMBER = "a number"
    SECONDS = "a duration"
    TEXT = "a text"
    TIME = "a time"
    FLAG = "true or false"
    LIST = "a list"
    GROUP = "a group of fields"
    ANY = "anything"


SHORT: dict[str, str] = {
    **{name: f"metrics.test.{name}" for name in ("accuracy", "f1_macro", "loss", "ece", "f1", "precision", "recall")},
    "test": "metrics.test",
    "val": "metrics.val",
    "candidate": "promotion.candidate",
    "model": "model.name",
    "parameters": "model.parameters",
    "data": "data.name",
    "synthetic": "data.synthetic",
    "labels": "data.labels",
    "sweep": "sweep.id",
    "commit": "lineage.git_commit",
    "branch": "lineage.git_branch",
    "epochs": "timing.epochs",
    "steps": "timing.steps",
    "bundles": "promotion.bundles",
}
"""A first word that stands for a longer path; `model.parameters` is not shortened, since it has more words."""

COMPUTED: dict[str, Kind] = {
    "location": Kind.TEXT,
    "path": Kind.TEXT,
    "age": Kind.SECONDS,
    "duration": Kind.SECONDS,
}
"""Not in `run.json`, but as good as fields. `age` and `duration` are seconds."""

COLUMNS: dict[Path, str] = {
    ("id",): "id",
    ("name",): "name",
    ("status",): "shown",
    ("status_reason",): "reason",
    ("category",): "category",
    ("location",): "location",
    ("path",): "path",
    ("created_at",): "created",
    ("started_at",): "started",
    ("ended_at",): "ended",
    ("duration",): "duration",
    ("sweep", "id"): "sweep",
    ("group",): "grp",
    ("seed",): "seed",
    ("model", "name"): "model",
    ("model", "parameters"): "parameters",
    ("metrics", "test", "accuracy"): "accuracy",
    ("metrics", "test", "f1_macro"): "f1_macro",
    ("metrics", "val", "accuracy"): "val_accuracy",
    ("metrics", "val", "f1_macro"): "val_f1_macro",
    ("promotion", "candidate"): "candidate",
    ("pinned",): "pinned",
    ("tags",): "tags",
}
"""Columns of the index that hold a field; asking for these alone needs no record to be read."""


def resolve(words: Path) -> tuple[Path, Kind]:
    """The path in a record that `words` stand for, and what it holds.

    Raises:
        BadInput: where a record has no such field; suggests the nearest.
    """
    if len(words) == 1 and words[0] in COMPUTED:
        return words, COMPUTED[words[0]]
    whole = words
    if words[0] in SHORT and (len(words) == 1 or words[0] not in _first_words()):
        whole = (*SHORT[words[0]].split("."), *words[1:])
    return whole, _kind(whole, words)


def split(name: str) -> Path:
    """`metrics.test.recall."self harm"` as words; quotes keep dots and blanks together."""
    words, word, quote = [], "", ""
    for letter in name:
        if quote:
            quote = "" if letter == quote else quote
            word += letter if quote else ""
        elif letter in "\"'":
            quote = letter
        elif letter == ".":
            words.append(word)
            word = ""
        else:
            word += letter
    return (*words, word)


def found_in(record: object, path: Path) -> Found:
    """What stands in a decoded record under `path`; of a list of groups, the list of what stands in each."""
    value = record
    for number, word in enumerate(path):
        if isinstance(value, Mapping):
            value = value.get(word)
        elif isinstance(value, list):
            return [found_in(item, path[number:]) for item in value]
        else:
            return None
    return value


@cache
def _first_words() -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(RunRecord))


def _kind(path: Path, said: Path) -> Kind:
    """Walk down the structs of the record."""
    held: object = RunRecord
    in_list = False
    for number, word in enumerate(path):
        held = _without_none(held)
        if typing.get_origin(held) is list:
            in_list, held = True, _without_none(typing.get_args(held)[0])
        if held is typing.Any:
            return Kind.ANY
        if typing.get_origin(held) is dict:
            held = typing.get_args(held)[1]
        elif isinstance(held, type) and issubclass(held, msgspec.Struct):
            held = _field(held, word, path[:number], said)
        else:
            raise BadInput(f"{'.'.join(path[:number])} has no fields of its own")
    return Kind.LIST if in_list else _kind_of(_without_none(held), path[-1])


def _field(struct: type[msgspec.Struct], word: str, above: Path, said: Path) -> object:
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    if word in fields:
        return fields[word]
    from difflib import get_close_matches

    names = [*fields, *(SHORT if not above else ()), *(COMPUTED if not above else ())]
    close = get_close_matches(word, names, n=1)
    hint = f"; did you mean {close[0]!r}" if close else f"; {'.'.join(above)} has: {', '.join(names)}" if above else ""
    raise BadInput(f"no field {'.'.join(said)[:80]!r} is on record{hint}")


def _without_none(held: object) -> object:
    if isinstance(held, types.UnionType) or typing.get_origin(held) is typing.Union:
        kept = [kind for kind in typing.get_args(held) if kind is not type(None)]
        return kept[0] if len(kept) == 1 else typing.Any
    return held


def _kind_of(held: object, word: str) -> Kind:
    if typing.get_origin(held) is list:
        return Kind.LIST
    if typing.get_origin(held) is dict or (isinstance(held, type) and issubclass(held, msgspec.Struct)):
        return Kind.GROUP
    if held is bool:
        return Kind.FLAG
    if held in (int, float):
        return Kind.SECONDS if word.endswith("_s") and not word.endswith("_per_s") else Kind.NUMBER
    if isinstance(held, type) and issubclass(held, str):
        return Kind.TIME if word.endswith("_at") or word == "at" else Kind.TEXT
    return Kind.ANY
