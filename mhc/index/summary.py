"""The state of all runs in a few sentences: for `mhc summary`, `summary=true` in training, and notebooks."""

from __future__ import annotations

from typing import NamedTuple

from mhc.index.index import Index
from mhc.index.rows import Row

MAX_LISTED = 5
"""Runs that are listed as the best, and as running."""


class Summary(NamedTuple):
    """The state of all runs."""

    total: int
    by_status: dict[str, int]
    """As shown; most frequent first."""
    by_category: dict[str, int]
    by_location: dict[str, int]
    candidates: int
    running: list[Row]
    best: list[Row]
    """Completed baseline runs with the highest macro-F1 on test."""
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
        best=index.best(MAX_LISTED),
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
    lines += [f"best: {row.id}  macro-F1 {row.f1_macro:.3f}  accuracy {row.accuracy or 0:.3f}" for row in summary.best]
    return [*lines, *_unreadable(summary)]


def _unreadable(summary: Summary) -> list[str]:
    count = len(summary.unreadable)
    return [f"{count} folder{'s' * (count != 1)} cannot be read. See: mhc doctor"] if count else []


def _enumerated(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
