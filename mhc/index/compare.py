"""Several runs side by side: what differs, what is equal, and the results of their seed groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mhc.errors import Unreadable
from mhc.files import reading, yaml_text
from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.index.seed_groups import Group, group_of
from mhc.index.selection import record_dicts
from mhc.record import flatten

CONFIG = ".hydra/config.yaml"
LOCATION_KEYS = ("paths.", "hydra.")
"""Beginnings of config keys that hold locations, not settings."""
FACTS = (
    "category", "data.name", "data.splits.train.fingerprint", "data.splits.val.fingerprint",
    "data.splits.test.fingerprint", "data.train_fraction", "model.name", "model.parameters", "model.pretrained",
    "lineage.git_commit", "lineage.git_dirty", "lineage.python",
)  # fmt: skip
"""Fields of a record that are compared beside the config."""
TIMES = ("timing.fit_s", "timing.epochs", "timing.tokens_per_s")


class Line(NamedTuple):
    """One field of all runs."""

    field: str
    values: list[object]
    """In the order of the runs; None if nothing is recorded."""

    @property
    def differs(self) -> bool:
        """Whether the values are not all the same."""
        return any(value != self.values[0] for value in self.values[1:])


class Comparison(NamedTuple):
    """Runs side by side."""

    rows: list[Row]
    config: list[Line]
    """Values of the config, and facts of data, model and code."""
    metrics: list[Line]
    groups: list[Group]
    """Seed groups of these runs that have several members, each with all of its members."""


def compare(index: Index, rows: list[Row]) -> Comparison:
    """Return the runs side by side."""
    records = [flatten(record) for record in record_dicts(index, rows)]
    configs = [config_of(index.folder(row.path), record) for row, record in zip(rows, records, strict=True)]
    config_keys = {key for config in configs for key in config}
    facts = [_recorded(record, [field for field in FACTS if field not in config_keys]) for record in records]
    metrics = [
        {key.removeprefix("metrics."): value for key, value in record.items() if _is_metric(key) and value is not None}
        for record in records
    ]
    times = [_recorded(record, TIMES) for record in records]
    return Comparison(
        rows,
        [*_lines(configs), *_lines(facts)],
        [*_lines(metrics), *_lines(times)],
        [group for group in _groups(index, rows) if len(group.rows) > 1],
    )


def _recorded(record: Mapping[str, object], fields: Sequence[str]) -> dict[str, object]:
    return {field: record[field] for field in fields if record.get(field) is not None}


def _is_metric(key: str) -> bool:
    return key.startswith("metrics.")


def config_of(folder: Path, record: Mapping[str, object]) -> dict[str, object]:
    """Return the config of a run by dotted keys; its overrides if the config is missing or cannot be read."""
    import yaml

    with suppress(FileNotFoundError, Unreadable), reading(folder / CONFIG):
        config = yaml.safe_load(yaml_text(folder / CONFIG))
        if isinstance(config, Mapping):
            return {key: value for key, value in flatten(config).items() if not key.startswith(LOCATION_KEYS)}
    overrides = record.get("lineage.overrides")
    pairs = [str(override).partition("=") for override in overrides] if isinstance(overrides, list) else []
    return {key: value for key, _, value in pairs}


def _lines(tables: Sequence[Mapping[str, object]]) -> Iterator[Line]:
    """Yield one line per key of any table, in the order of their first appearance."""
    for key in dict.fromkeys(key for table in tables for key in table):
        yield Line(key, [table.get(key) for table in tables])


def _groups(index: Index, rows: list[Row]) -> Iterator[Group]:
    for key in dict.fromkeys(row.grp for row in rows if row.grp):
        yield group_of(key, index.seed_group(key))
