"""Mean, standard deviation and interval over a group of runs: seeds of one config, a sweep, a model. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

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

    The interval assumes independent values from approximately one normal distribution, as the scores of seeds are; it
    does not hold for other data.
    """
    if not values:
        return None
    mean = fmean(values)
    if len(values) == 1:
        return Spread(1, mean)
    sd = stdev(values)
    half = t_quantile(0.5 + confidence / 2, len(values) - 1) * sd / math.sqrt(len(values))
    return Spread(len(values), mean, sd, mean - half, mean + half)


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
    """A group of runs."""

    key: str
    """Hash of the config without the seed, id of the sweep, or name of the model."""
    rows: list[Row]
    """Newest first."""
    accuracy: Spread | None
    f1_macro: Spread | None
    """Over the completed runs' test splits."""

    @property
    def best(self) -> Row | None:
        """The member with the highest macro-F1."""
        scored = [row for row in self.rows if row.f1_macro is not None]
        return max(scored, key=lambda row: row.f1_macro or 0.0, default=None)


KEYS: dict[str, Callable[[Row], str | None]] = {
    "seed": lambda row: row.grp,
    "sweep": lambda row: row.sweep,
    "model": lambda row: row.model,
}
"""The criteria of grouping."""


def grouped(rows: Iterable[Row], by: str) -> list[Group]:
    """Return the groups of the rows that have a key: best mean macro-F1 first, groups without a score last."""
    members: dict[str, list[Row]] = {}
    for row in rows:
        key = KEYS[by](row)
        if key:
            members.setdefault(key, []).append(row)
    groups = [group_of(key, group) for key, group in members.items()]
    return sorted(groups, key=lambda group: -math.inf if group.f1_macro is None else group.f1_macro.mean, reverse=True)


def group_of(key: str, rows: list[Row]) -> Group:
    """Return a group with its statistics, over the completed members that have a score."""
    completed = [row for row in rows if row.shown == "completed"]
    accuracy = spread([row.accuracy for row in completed if row.accuracy is not None])
    f1_macro = spread([row.f1_macro for row in completed if row.f1_macro is not None])
    return Group(key, rows, accuracy, f1_macro)
