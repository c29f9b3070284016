"""The state of all runs in a few sentences: for `mhc summary`, `summary=true` in training, and notebooks."""

from __future__ import annotations

from typing import NamedTuple

from mhc.index.index import ONCE, Index
from mhc.index.rows import Row

BEST = 5
"""Runs that are named as the best."""


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
    """Sum up the index."""
    by_status = _counted(index, "shown")
    return Summary(
        total=sum(by_status.values()),
        by_status=by_status,
        by_category=_counted(index, "category"),
        by_location=_counted(index, "location"),
        candidates=_counted(index, "candidate").get("1", 0),
        running=index.rows("shown = 'running'"),
        best=index.rows(
            "shown = 'completed' AND category = 'baseline' AND f1_macro IS NOT NULL",
            order=f"f1_macro DESC, created DESC LIMIT {BEST}",
        ),
        unreadable=index.unreadable(),
    )


def _counted(index: Index, column: str) -> dict[str, int]:
    found = index.query(
        f"SELECT {column}, COUNT(*) FROM runs WHERE {ONCE} AND error = ''"
        f" GROUP BY {column} ORDER BY COUNT(*) DESC, {column}"
    )
    return {"none" if value is None else str(value): int(count or 0) for value, count in found}


def sentences(summary: Summary) -> list[str]:
    """The summary as lines for a terminal or a log."""
    if not summary.total:
        return ["No runs yet.", *_troubles(summary)]
    lines = [
        f"{summary.total:,} run{'s' * (summary.total != 1)}: {_listed(summary.by_status)}",
        f"{_listed(summary.by_category)}; {summary.candidates:,} candidate{'s' * (summary.candidates != 1)}",
    ]
    if len(summary.by_location) > 1:
        lines.append(f"places: {_listed(summary.by_location)}")
    lines += [f"running: {row.id}" for row in summary.running[:BEST]]
    if len(summary.running) > BEST:
        lines.append(f"and {len(summary.running) - BEST} more are running")
    lines += [f"best: {row.id}  macro-F1 {row.f1_macro:.3f}  accuracy {row.accuracy or 0:.3f}" for row in summary.best]
    return [*lines, *_troubles(summary)]


def _troubles(summary: Summary) -> list[str]:
    count = len(summary.unreadable)
    return [f"{count} folder{'s' * (count != 1)} cannot be read. See: mhc doctor"] if count else []


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
