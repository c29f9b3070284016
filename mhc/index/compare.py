"""Several runs side by side: what differs, what is equal, which is better, and the results of their seed groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mhc.errors import Unreadable
from mhc.index.config_names import ConfigNames
from mhc.index.data_sets import by_data_set
from mhc.index.fields import CONFIG
from mhc.index.index import Index
from mhc.index.labels import values_of
from mhc.index.records import config_names, record_dicts
from mhc.index.rows import Row
from mhc.index.seed_groups import Group, group_of
from mhc.record import flatten

LOCATIONS = ("paths", "hydra")
"""Sections of the config that hold locations, not settings."""
FACTS = (
    "category", "data.name", "data.splits.train.fingerprint", "data.splits.val.fingerprint",
    "data.splits.test.fingerprint", "data.train_fraction", "model.name", "model.parameters", "model.pretrained",
    "lineage.git_commit", "lineage.git_dirty", "lineage.python",
)  # fmt: skip
"""Fields of a record that are compared beside the config."""
LOWER_IS_BETTER = ("loss", "ece")
"""Metrics; of all others the highest value is the best."""
TIMES = ("timing.fit_s", "timing.epochs", "timing.tokens_per_s", "timing.ngrams_per_s")


class Line(NamedTuple):
    """One field of all runs."""

    field: str
    values: list[object]
    """In the order of the runs; None if nothing is recorded."""
    best: frozenset[int] = frozenset()
    """The positions of the best values, if the field has an order and the runs were scored on the same split."""

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
    """Return the runs side by side.

    Raises:
        Unreadable: if the record of one of them cannot be read.
    """
    for row in rows:
        if row.error:
            raise Unreadable(row.error)
    dicts = record_dicts(index, rows)
    names = config_names(index)
    configs = [_settings(record[CONFIG], names) for record in dicts]
    records = [flatten({key: value for key, value in record.items() if key != CONFIG}) for record in dicts]
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
        [*(line._replace(best=_best(line, rows)) for line in _lines(metrics)), *_lines(times)],
        [group for group in _groups(index, rows) if len(group.rows) > 1],
    )


def comparable_on(split: str, rows: Sequence[Row]) -> bool:
    """Return whether the runs were scored on the same rows of `val` or `test`."""
    fingerprints = {row.val_data if split == "val" else row.test_data for row in rows}
    return len(fingerprints) == 1 and None not in fingerprints


def _best(line: Line, rows: Sequence[Row]) -> frozenset[int]:
    """Return the positions of the best values of a metric, `val.f1_macro`; none if all are equal."""
    split, metric = line.field.split(".")[:2]
    values = {i: value for i, value in enumerate(line.values) if isinstance(value, int | float)}
    if len(set(values.values())) < 2 or not comparable_on(split, rows):
        return frozenset()
    best = min(values.values()) if metric in LOWER_IS_BETTER else max(values.values())
    return frozenset(i for i, value in values.items() if value == best)


def _recorded(record: Mapping[str, object], fields: Sequence[str]) -> dict[str, object]:
    return {field: record[field] for field in fields if record.get(field) is not None}


def _is_metric(key: str) -> bool:
    return key.startswith("metrics.")


def _settings(config: object, names: ConfigNames) -> dict[str, object]:
    """Return the values of a config by dotted keys, without locations and values that only refer to another."""
    keys = ((words, value) for words, value in values_of(config, names) if words[0] not in LOCATIONS)
    return {".".join(words): value for words, value in keys}


def _lines(tables: Sequence[Mapping[str, object]]) -> Iterator[Line]:
    """Yield one line per key of any table, in the order of their first appearance."""
    for key in dict.fromkeys(key for table in tables for key in table):
        yield Line(key, [table.get(key) for table in tables])


def _groups(index: Index, rows: list[Row]) -> Iterator[Group]:
    for key in dict.fromkeys(row.grp for row in rows if row.grp):
        for data, members in by_data_set(index.seed_group(key)).items():
            yield group_of(key, data, members)
