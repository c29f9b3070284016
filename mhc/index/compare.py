"""Several runs beside each other: what differs, what is the same, and what their seed groups say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.index.seed_groups import Group, group_of
from mhc.index.selection import record_dicts

CONFIG = ".hydra/config.yaml"
LEFT_OUT = ("paths.", "hydra.")
"""Beginnings of config keys that say where, not what."""
FACTS = (
    "category", "data.name", "data.splits.train.fingerprint", "data.splits.val.fingerprint",
    "data.splits.test.fingerprint", "data.train_fraction", "model.name", "model.parameters", "model.pretrained",
    "lineage.git_commit", "lineage.git_dirty", "lineage.python",
)  # fmt: skip
"""Facts of a record that are compared beside the config."""
TIMES = ("timing.fit_s", "timing.epochs", "timing.tokens_per_s")


class Line(NamedTuple):
    """One field of all runs."""

    field: str
    values: list[object]
    """In the order of the runs; None where nothing is on record."""

    @property
    def differs(self) -> bool:
        """Whether not all are the same."""
        return any(value != self.values[0] for value in self.values[1:])


class Comparison(NamedTuple):
    """Runs beside each other."""

    rows: list[Row]
    config: list[Line]
    """Values of the config, and facts of data, model and code."""
    metrics: list[Line]
    groups: list[Group]
    """Seed groups of these runs that have several members, each with all of its members."""


def compare(index: Index, rows: list[Row]) -> Comparison:
    """Put the runs beside each other."""
    records = [flat(record) for record in record_dicts(index, rows)]
    configs = [config_of(index.folder(row.path), record) for row, record in zip(rows, records, strict=True)]
    said = {key for config in configs for key in config}
    facts = [
        {field: record[field] for field in FACTS if field not in said and record.get(field) is not None}
        for record in records
    ]
    metrics = [
        {key[8:]: value for key, value in record.items() if key.startswith("metrics.") and value is not None}
        for record in records
    ]
    times = [{field: record[field] for field in TIMES if record.get(field) is not None} for record in records]
    return Comparison(
        rows,
        [*_lines(configs), *_lines(facts)],
        [*_lines(metrics), *_lines(times)],
        [group for group in _groups(index, rows) if len(group.rows) > 1],
    )


def config_of(folder: Path, record: Mapping[str, object]) -> dict[str, object]:
    """The flat config of a run; its overrides where the config is not there or cannot be read."""
    import yaml

    with suppress(OSError, UnicodeDecodeError, yaml.YAMLError):
        values = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        return {key: value for key, value in flat(values).items() if not key.startswith(LEFT_OUT)}
    overrides = record.get("lineage.overrides")
    words = [str(word).partition("=") for word in overrides] if isinstance(overrides, list) else []
    return {key: value for key, _, value in words}


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested mappings as one with dotted keys; lists stay whole."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    found: dict[str, object] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found


def _lines(tables: Sequence[Mapping[str, object]]) -> Iterator[Line]:
    """One line a key that any table has, in the order in which they first come."""
    for key in dict.fromkeys(key for table in tables for key in table):
        yield Line(key, [table.get(key) for table in tables])


def _groups(index: Index, rows: list[Row]) -> Iterator[Group]:
    for key in dict.fromkeys(row.grp for row in rows if row.grp):
        yield group_of(key, index.rows("grp = ?", [key]))
