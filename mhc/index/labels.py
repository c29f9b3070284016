"""Short names for runs: the values in which they differ, such as `lr=0.003 seed=2`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from mhc.errors import BadInput
from mhc.index.config_names import ConfigNames, Words
from mhc.index.fields import CONFIG, dotted, resolve, value_at
from mhc.index.index import Index
from mhc.index.records import config_names, record_dicts
from mhc.index.rows import Row

NO_RESULT = frozenset({
    "paths", "hydra", "callbacks", "logger", "policy", "name", "description", "note", "tags", "category",
    "auto_archive", "report", "summary", "check_promotion", "resume", "resume_sweep", "refit", "test", "reuse_memory",
})  # fmt: skip
"""Sections of the config that change no result; a value in them is part of a label only if the user has set it."""
SEED = ("seed",)
NOTES = frozenset({("name",), ("description",), ("note",), ("tags",)})
"""Keys that are never part of a label."""
EQUIVALENT = {SEED: "seed", ("model", "name"): "model", ("data", "name"): "data"}
"""Values of the config that the record has under another name."""
MAX_VALUES = 6
"""Values of a label."""


class Labels(NamedTuple):
    """What differs between runs."""

    names: list[str]
    """Of the values, as short as `--where` takes them; at first those that the user has varied, the seed last."""
    values: list[list[object]]
    """One list per run, in the order of `names`."""
    texts: list[str]
    """One per run: `lr=0.003 seed=2`; empty if nothing differs."""


def labels_of(index: Index, rows: Sequence[Row], asked: Collection[Words] = (), *, seed: bool = True) -> Labels:
    """Return the labels of runs, in their order; rows without a readable record are not allowed.

    The keys `asked` come first, if they differ. With `seed`, a seed that differs is part of the labels.
    """
    records = record_dicts(index, list(rows))
    names = config_names(index)
    configs = [dict(values_of(record[CONFIG], names)) for record in records]
    overrides = [word for record in records for word in _overrides(record)]
    typed = [tuple(word.lstrip("+~").partition("=")[0].split(".")) for word in overrides]
    keys = varied(configs, [*asked, *typed])
    keys = [key for key in keys if seed or key != SEED]
    short = [short_name(key, names) for key in keys]
    values = [[config.get(key) for key in keys] for config in configs]
    return Labels(short, values, [" ".join(_assignments(short, line)) for line in values])


def _assignments(names: Sequence[str], values: Sequence[object]) -> Iterator[str]:
    """Yield `lr=0.003` for each value that the config of the run has."""
    yield from (f"{name}={shown(value)}" for name, value in zip(names, values, strict=True) if value is not None)


def _overrides(record: Mapping[str, object]) -> list[str]:
    overrides = value_at(record, ("lineage", "overrides"))
    return [str(word) for word in overrides] if isinstance(overrides, list) else []


def values_of(config: object, names: ConfigNames, at: Words = ()) -> Iterator[tuple[Words, object]]:
    """Yield the values of a config that do not only refer to another, with their keys."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            yield from values_of(value, names, (*at, key))
    elif at in names.own:
        yield at, config


def varied(configs: Sequence[Mapping[Words, object]], typed: Sequence[Words]) -> list[Words]:
    """Return the keys in which configs differ: those that the user has typed, and as few others as tell runs apart."""
    keys = dict.fromkeys(key for config in configs for key in config)
    differing = [key for key in keys if len({repr(config.get(key)) for config in configs}) > 1]
    typed = [key for key in typed if key not in NOTES]
    chosen = [
        key for key in dict.fromkeys(key for word in typed for key in (word, (*word, "name"))) if key in differing
    ]
    for key in sorted(differing, key=SEED.__eq__):
        if key in chosen or key[0] in NO_RESULT:
            continue
        if _distinct(configs, [*chosen, key]) > _distinct(configs, chosen):
            chosen.append(key)
    return sorted(chosen[:MAX_VALUES], key=SEED.__eq__)


def _distinct(configs: Sequence[Mapping[Words, object]], keys: Sequence[Words]) -> int:
    """Return how many of the configs can be told apart by these keys."""
    return len({tuple(repr(config.get(key)) for key in keys) for config in configs})


def short_name(key: Words, names: ConfigNames) -> str:
    """Return the shortest name by which `--where` finds a value of the config."""
    if key in EQUIVALENT:
        return EQUIVALENT[key]
    for start in reversed(range(len(key))):
        try:
            if resolve(key[start:], names)[0] == (CONFIG, *key):
                return dotted(key[start:])
        except BadInput:
            continue
    return dotted((CONFIG, *key))


def shown(value: object) -> str:
    """Return a value of the config as the user would type it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}"
        case list():
            return f"[{','.join(shown(item) for item in value)}]"
    return str(value)
