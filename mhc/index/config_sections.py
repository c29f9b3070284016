"""The composed config of a run, `.hydra/config.yaml`, as sections of plain values: references resolved, secrets masked.

A section is a top-level key of the config with its value. Most runs share most sections, so each distinct text is
parsed once per process, and the index stores each distinct section once.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mhc import files, redaction
from mhc.errors import Unreadable
from mhc.index.fields import value_at

if TYPE_CHECKING:
    import yaml

CONFIG = ".hydra/config.yaml"
CONFIG_OF_BUNDLE = "training.yaml"
"""The same in a bundle."""
Words = tuple[str, ...]
"""The words of a dotted key."""

_START = re.compile(r"\n(?=[^\s#-])")
"""The end of a line before a top-level key; a list is not indented by Hydra, so a dash starts no key."""
_REFERENCE = re.compile(r"\$\{(?:oc\.select:)?(\.*)([\w-]+(?:\.[\w-]+)*)(?:,[^${}]*)?\}")
"""`${model.name}`, `${..name}` relative to the key, or `${oc.select:model.name,null}`.

Not `${oc.env:...}`, whose value is of another time.
"""
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+$")
"""Floats of OmegaConf that YAML 1.1 reads as texts: `1e-4`."""
MAX_CHAIN = 10
"""References from one to the next that are followed."""
MAX_NUMBER = 2**63
"""Larger integers are texts, because SQLite and Parquet have no such type."""
CACHED = 20_000
"""Distinct sections that are held in memory."""


class Key(NamedTuple):
    """One value of a section."""

    words: Words
    is_reference: bool
    """Whether the config takes the value from another key."""


class Section(NamedTuple):
    """One distinct section, as the index stores it."""

    name: str
    id: int
    """Derived from the content: equal sections have equal ids in every process."""
    json: bytes
    keys: tuple[Key, ...]


@dataclass(frozen=True, eq=False)
class _Parsed:
    """A section as written; compared by identity, because each distinct text is parsed once."""

    name: str
    value: object
    references: tuple[Words, ...]


def read(folder: Path, overrides: Sequence[str]) -> list[Section]:
    """Return the sections of the config of a run or a bundle; of its overrides if the config cannot be read."""
    for path in (folder / CONFIG, folder / CONFIG_OF_BUNDLE):
        with suppress(FileNotFoundError, Unreadable), files.reading(path):
            return sections_of(files.read(path, files.YAML_LIMIT, follow_links=False).decode())
    pairs = (word.lstrip("+~").partition("=") for word in overrides if "=" in word)
    with suppress(Unreadable), files.reading("The overrides"):
        return sections_of("".join(f"{msgspec.json.encode(key).decode()}: {value}\n" for key, _, value in pairs))
    return []


def sections_of(text: str) -> list[Section]:
    """Return the sections of the text of a config.

    Raises:
        Exception: of any kind, if it is not a mapping in YAML that can be read safely; see `mhc.files.reading`.
    """
    parts = [_parsed(part) for part in _START.split(text) if part and not part.isspace()]
    parsed = [part for part in parts if part is not None]
    if len(parsed) < len(parts):
        parsed = _parsed_whole(text)
    values = {part.name: part.value for part in parsed}
    return [_section(part, *(_resolved(words, values) for words in part.references)) for part in parsed]


@lru_cache(CACHED)
def _parsed(text: str) -> _Parsed | None:
    """Return the section of that text; None if it is not one section, so the config must be parsed as a whole."""
    with suppress(Exception):  # raised again by `_parsed_whole` of the whole text, if it is a fault
        sections = _parsed_whole(text)
        if len(sections) == 1:
            return sections[0]
    return None


def _parsed_whole(text: str) -> list[_Parsed]:
    import yaml

    files.check_yaml(text, CONFIG)
    config = yaml.load(text, _loader())
    if not isinstance(config, dict):
        raise TypeError(type(config).__name__)
    return [
        _Parsed(str(name), value, tuple(dict.fromkeys(_references(value, (str(name),)))))
        for name, value in config.items()
    ]


@cache
def _loader() -> type[yaml.CSafeLoader | yaml.SafeLoader]:
    """Return a loader of plain values that reads numbers as OmegaConf does."""
    import yaml

    class ConfigLoader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
        """A loader of its own, because a resolver is added to a class."""

    ConfigLoader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
    return ConfigLoader


def _references(value: object, at: Words) -> Iterator[Words]:
    """Yield the keys that the texts of a value refer to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _references(inner, (*at, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner, at)
    elif isinstance(value, str) and "${" in value:
        yield from (_target(match, at) for match in _REFERENCE.finditer(value))


def _target(match: re.Match[str], at: Words) -> Words:
    """Return the key that a reference in the value of the key `at` means."""
    dots, words = len(match[1]), tuple(match[2].split("."))
    return (*at[:-dots], *words) if dots else words


def _resolved(words: Words, values: Mapping[str, object], chain: int = MAX_CHAIN) -> object:
    """Return the single value of a key; None if it is a group, a list, missing, secret, or not known without Hydra."""
    if _is_secret(words[-1]):
        return None
    value: object = values
    for word in words:
        value = value.get(word) if isinstance(value, dict) else None
    if isinstance(value, str) and "${" in value:
        reference = _REFERENCE.fullmatch(value)
        return _resolved(_target(reference, words), values, chain - 1) if reference and chain else None
    return value if isinstance(value, str | int | float | bool) else None


@cache
def _is_secret(word: str) -> bool:
    return redaction.is_secret_key(word)


@lru_cache(CACHED, typed=True)
def _section(parsed: _Parsed, *resolved: object) -> Section:
    """Return the section with its references replaced by the values `resolved`, in their order."""
    found = dict(zip(parsed.references, resolved, strict=True))
    masked = redaction.values({parsed.name: _plain(parsed.value, (parsed.name,), found)})
    json = msgspec.json.encode(value_at(masked, (parsed.name,)))
    digest = hashlib.blake2b(f"{parsed.name}\n".encode() + json, digest_size=8).digest()
    return Section(parsed.name, int.from_bytes(digest) >> 1, json, tuple(_keys(parsed.value, (parsed.name,))))


def _plain(value: object, at: Words, resolved: Mapping[Words, object]) -> object:
    """Return a value as JSON can hold it, with references replaced."""
    if isinstance(value, dict):
        return {str(key): _plain(inner, (*at, str(key)), resolved) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, at, resolved) for inner in value]
    if isinstance(value, str) and "${" in value:
        value = _with_values(value, at, resolved)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < MAX_NUMBER:
        return value
    return str(value)


def _with_values(text: str, at: Words, resolved: Mapping[Words, object]) -> object:
    """Return a text with its references replaced; a reference that is all of it keeps the type of its value."""
    whole = _REFERENCE.fullmatch(text)
    if whole:
        value = resolved.get(_target(whole, at))
        return text if value is None else value
    return _REFERENCE.sub(lambda match: _inserted(match, resolved.get(_target(match, at))), text)


def _inserted(match: re.Match[str], value: object) -> str:
    return match[0] if value is None else str(value)


def _keys(value: object, at: Words) -> Iterator[Key]:
    """Yield the key of every single value and list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _keys(inner, (*at, str(key)))
    else:
        yield Key(at, isinstance(value, str) and _REFERENCE.fullmatch(value) is not None)
