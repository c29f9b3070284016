"""Mean, standard deviation and interval over a group of runs: seeds of one config, a sweep, a model. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

from mhc.index.data_sets import by_data_set, key_of_data
from mhc.index.rows import Row

CONFIDENCE = 0.95
LARGE = 1000
"""Degrees of freedom above which the quantile is computed from its expansion around the normal quantile."""


class Spread(NamedTuple):
    """Statistics of several measurements of one quantity."""

    number: int
    mean: float
    sd: float | None = None
    """Sample standard deviation (n - 1); None for one measurement."""
    low: float | None = None
    high: float | None = None
    """Ends of the t-interval of the mean."""


def spread(values: Sequence[float], confidence: float = CONFIDENCE) -> Spread | None:
    """Return mean, sample standard deviation and the interval mean +- t(n-1) * sd / sqrt(n); None for no values.

    The values are scores from 0 to 1, and so is their mean: the interval ends there. It assumes independent values from
    approximately one normal distribution, as the scores of seeds are; it does not hold for other data.
    """
    if not values:
        return None
    mean = fmean(values)
    if len(values) == 1:
        return Spread(1, mean)
    sd = stdev(values)
    half = t_quantile(0.5 + confidence / 2, len(values) - 1) * sd / math.sqrt(len(values))
    return Spread(len(values), mean, sd, max(0.0, mean - half), min(1.0, mean + half))


def t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t for a probability above one half and integer degrees of freedom.

    Computed by bisection of the finite series of Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3 and
    26.7.4; above `LARGE` degrees by the first terms of their expansion 26.7.5. Agrees with scipy to 1e-8.
    """
    if freedom > LARGE:
        z = NormalDist().inv_cdf(probability)
        return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    low, high = 0.0, 1.0
    while _t_within(high, freedom) < 2 * probability - 1:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        if _t_within(middle, freedom) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return high


def _t_within(t: float, freedom: int) -> float:
    """Return the probability that |T| is at most t."""
    theta = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(theta)
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    total *= math.sin(theta)
    return 2 / math.pi * (theta + total) if odd else total


class Group(NamedTuple):
    """A group of runs that were scored on the same data."""

    key: str
    """What its runs have in common: the hash of the config without the seed, the id of the sweep, or a value."""
    data: str
    """The name of the data set."""
    rows: list[Row]
    """Newest first."""
    val_accuracy: Spread | None
    val_f1_macro: Spread | None
    accuracy: Spread | None
    """On test, as `f1_macro`. All four are over the completed runs."""
    f1_macro: Spread | None

    @property
    def best(self) -> Row | None:
        """The completed member with the highest macro-F1 on validation; a fold is scored on rows of its own."""
        completed = [row for row in self.rows if row.shown == "completed" and row.fold is None]
        scored = [row for row in completed if row.val_f1_macro is not None]
        return max(scored, key=lambda row: row.val_f1_macro or 0.0, default=None)


KEYS: dict[str, Callable[[Row], str | None]] = {
    "seed": lambda row: row.grp,
    "sweep": lambda row: row.sweep,
    "model": lambda row: row.model,
}
"""Criteria of grouping that are not fields, or whose value is in the row."""


def grouped(rows: Sequence[Row], key_of: Callable[[Row], str | None]) -> list[Group]:
    """Return the groups of the rows that have a key, by data set; within it the best mean on validation first.

    Groups without a score come last. A run that ended before its data was known is in the first group of its key.
    """
    members: dict[str, list[Row]] = {}
    for row in rows:
        key = key_of(row)
        if key:
            members.setdefault(key, []).append(row)
    data_sets = by_data_set(rows)
    order = list(data_sets)
    names = {row.path: data for data, comparable in data_sets.items() for row in comparable}
    groups = [group for key, same_key in members.items() for group in _by_data_set(key, same_key, names)]
    return sorted(groups, key=lambda group: (order.index(group.data), -_mean(group)))


def _by_data_set(key: str, rows: Sequence[Row], names: Mapping[str, str]) -> Iterator[Group]:
    """Yield the groups of one key; `names` are those of the data sets, by the path of a run."""
    datas = dict.fromkeys(names[row.path] for row in rows if key_of_data(row)) or dict.fromkeys([names[rows[0].path]])
    first = next(iter(datas))
    for data in datas:
        yield group_of(key, data, [row for row in rows if (names[row.path] if key_of_data(row) else first) == data])


def _mean(group: Group) -> float:
    return -math.inf if group.val_f1_macro is None else group.val_f1_macro.mean


def group_of(key: str, data: str, rows: list[Row]) -> Group:
    """Return a group with its statistics, over the completed members that have a score."""
    completed = [row for row in rows if row.shown == "completed"]

    def spread_of(column: str) -> Spread | None:
        values = [getattr(row, column) for row in completed]
        return spread([value for value in values if value is not None])

    return Group(key, data, rows, *map(spread_of, ("val_accuracy", "val_f1_macro", "accuracy", "f1_macro")))
