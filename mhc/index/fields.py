"""Names of recorded fields: `f1_macro`, `model.parameters`, `metrics.test.recall.sad`. Pure.

Used by `--where`, `--sort`, `--columns` and `mhc.index.Runs`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import TypeGuard

import msgspec

from mhc.errors import BadInput
from mhc.index.config_names import ConfigNames
from mhc.record import RunRecord

Path = tuple[str, ...]
"""The words of a field's name."""
FieldValue = object
"""The value of a field: anything that JSON can represent; None if nothing is recorded."""


CONFIG = "config"
"""First word of the path of a value in the config; a record in JSON has the config under this name."""
NO_NAMES = ConfigNames()
_PLAIN = re.compile(r"[\w-]+")


class Kind(StrEnum):
    """The type of a field, so that a value of another type is refused before any record is read."""

    NUMBER = "a number"
    SECONDS = "a duration"
    TEXT = "a text"
    TIME = "a time"
    FLAG = "true or false"
    LIST = "a list"
    GROUP = "a group of fields"
    ANY = "anything"


SHORT_NAMES: dict[str, str] = {
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
"""First words that abbreviate a longer path. `model.parameters` is not abbreviated, because it has more words."""

COMPUTED: dict[str, Kind] = {
    "location": Kind.TEXT,
    "path": Kind.TEXT,
    "age": Kind.SECONDS,
    "duration": Kind.SECONDS,
}
"""Fields that are not in `run.json`. `age` and `duration` are in seconds."""

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
    ("data", "name"): "data",
}
"""Columns of the index that hold a field; a query of only these reads no records."""


def resolve(words: Path, names: ConfigNames = NO_NAMES) -> tuple[Path, Kind]:
    """Return the path in a record that `words` abbreviate, and the kind of its value.

    A name that no field has may be that of a value in the config; its path begins with `config`, and so may `words`.

    Raises:
        BadInput: if neither a record nor a config has such a field; suggests the nearest.
    """
    if words[0] == CONFIG:
        return _in_config(
            words[1:], names, BadInput(f"There is no value {dotted(words)[:80]!r} in the config of any run")
        )
    try:
        return _in_record(words)
    except BadInput as problem:
        return _in_config(words, names, problem)


def _in_config(words: Path, names: ConfigNames, problem: BadInput) -> tuple[Path, Kind]:
    """Return the path of a value in the config.

    Raises:
        BadInput: if there is none: `problem`, with a suggestion if it has none.
    """
    path = names.find(words)
    if path is not None:
        return (CONFIG, *path), Kind.GROUP if path in names.groups else Kind.ANY
    nearest = names.nearest(words)
    if nearest is None or "did you mean" in str(problem):
        raise problem
    raise BadInput(f"{problem}; did you mean {nearest!r}")


def _in_record(words: Path) -> tuple[Path, Kind]:
    """Return the path of a field of the record.

    Raises:
        BadInput: if a record has no such field; suggests the nearest.
    """
    if len(words) == 1 and words[0] in COMPUTED:
        return words, COMPUTED[words[0]]
    path = words
    if words[0] in SHORT_NAMES and (len(words) == 1 or words[0] not in _record_fields()):
        path = (*SHORT_NAMES[words[0]].split("."), *words[1:])
    return path, _kind(path, words)


def split(name: str) -> Path:
    """Return `metrics.test.recall."self harm"` as words; dots and blanks in quotes do not separate words."""
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


def dotted(path: Path) -> str:
    """Return the name that `split` reads: words with dots or blanks are quoted."""
    return ".".join(word if _PLAIN.fullmatch(word) else f'"{word}"' for word in path)


def value_at(record: object, path: Path) -> FieldValue:
    """Return the value in a decoded record under `path`; of a list of groups, the list of the values in each."""
    value = record
    for number, word in enumerate(path):
        if isinstance(value, Mapping):
            value = value.get(word)
        elif isinstance(value, list):
            return [value_at(item, path[number:]) for item in value]
        else:
            return None
    return value


@cache
def _record_fields() -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(RunRecord))


def _kind(path: Path, words: Path) -> Kind:
    """Return the kind of the field at `path`, by the types of the record's structs; `words` are for the error."""
    annotation: object = RunRecord
    in_list = False
    for number, word in enumerate(path):
        annotation = _without_none(annotation)
        if typing.get_origin(annotation) is list:
            in_list, annotation = True, _without_none(typing.get_args(annotation)[0])
        if annotation is typing.Any:
            return Kind.ANY
        if typing.get_origin(annotation) is dict:
            annotation = typing.get_args(annotation)[1]
        elif _is_struct(annotation):
            annotation = _field_type(annotation, word, path[:number], words)
        else:
            raise BadInput(f"{'.'.join(path[:number])} has no fields of its own")
    return Kind.LIST if in_list else _kind_of(_without_none(annotation), path[-1])


def _is_struct(annotation: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _field_type(struct: type[msgspec.Struct], word: str, parent: Path, words: Path) -> object:
    """Return the type of a struct's field.

    Raises:
        BadInput: if there is no such field; suggests the nearest.
    """
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    if word in fields:
        return fields[word]
    from difflib import get_close_matches

    names = [*fields] if parent else [*fields, *SHORT_NAMES, *COMPUTED]
    close = get_close_matches(word, names, n=1)
    hint = ""
    if close:
        hint = f"; did you mean {close[0]!r}"
    elif parent:
        hint = f"; {'.'.join(parent)} has: {', '.join(names)}"
    raise BadInput(f"There is no field {dotted(words)[:80]!r}{hint}")


def _without_none(annotation: object) -> object:
    """Return `T` of `T | None`; `Any` of a union of several types."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        return members[0] if len(members) == 1 else typing.Any
    return annotation


def _kind_of(annotation: object, word: str) -> Kind:
    """Return the kind of a field by its type and, for durations and times, by the last word of its name."""
    if typing.get_origin(annotation) is list:
        return Kind.LIST
    if typing.get_origin(annotation) is dict or _is_struct(annotation):
        return Kind.GROUP
    if annotation is bool:
        return Kind.FLAG
    if annotation in (int, float):
        return Kind.SECONDS if word.endswith("_s") and not word.endswith("_per_s") else Kind.NUMBER
    if isinstance(annotation, type) and issubclass(annotation, str):
        return Kind.TIME if word.endswith("_at") or word == "at" else Kind.TEXT
    return Kind.ANY
