"""The state of all runs in a few sentences: for `mhc summary`, `summary=true` in training, and notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mhc.index.data_sets import by_data_set
from mhc.index.index import Index
from mhc.index.rows import Row

MAX_LISTED = 5
"""Running runs, and data sets, that are listed."""
MAX_BEST = 3
"""Runs that are listed as the best of a data set."""


class Summary(NamedTuple):
    """The state of all runs."""

    total: int
    by_status: dict[str, int]
    """As shown; most frequent first."""
    by_category: dict[str, int]
    by_location: dict[str, int]
    candidates: int
    running: list[Row]
    best: dict[str, list[Row]]
    """Completed baseline runs with the highest macro-F1 on validation, by data set: their scores have no one order."""
    unreadable: list[Row]


def summary_of(index: Index) -> Summary:
    """Return the summary of all runs of the index."""
    counts = index.counts()
    return Summary(
        total=counts.total,
        by_status=counts.by_status,
        by_category=index.category_counts(),
        by_location=index.location_counts(),
        candidates=counts.candidates,
        running=index.running(),
        best=by_data_set(index.best(MAX_BEST)),
        unreadable=index.unreadable(),
    )


def sentences(summary: Summary) -> list[str]:
    """Return the summary as lines for a terminal or a log."""
    if not summary.total:
        return ["No runs yet.", *_unreadable(summary)]
    lines = [
        f"{summary.total:,} run{'s' * (summary.total != 1)}: {_enumerated(summary.by_status)}",
        f"{_enumerated(summary.by_category)}; {summary.candidates:,} candidate{'s' * (summary.candidates != 1)}",
    ]
    if len(summary.by_location) > 1:
        lines.append(f"locations: {_enumerated(summary.by_location)}")
    lines += [f"running: {row.id}" for row in summary.running[:MAX_LISTED]]
    if len(summary.running) > MAX_LISTED:
        lines.append(f"and {len(summary.running) - MAX_LISTED} more are running")
    return [*lines, *_best(summary), *_unreadable(summary)]


def _best(summary: Summary) -> Iterator[str]:
    for data, rows in list(summary.best.items())[:MAX_LISTED]:
        yield f"best on {data}, by macro-F1 on validation:"
        for row in rows:
            test = "" if row.f1_macro is None else f"  test {row.f1_macro:.3f}"
            yield f"  {row.id}  val {row.val_f1_macro:.3f}{test}"
    if len(summary.best) > MAX_LISTED:
        yield f"and {len(summary.best) - MAX_LISTED} more data sets"


def _unreadable(summary: Summary) -> list[str]:
    count = len(summary.unreadable)
    return [f"{count} folder{'s' * (count != 1)} cannot be read. See: mhc doctor"] if count else []


def _enumerated(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
