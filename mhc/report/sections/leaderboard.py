"""The leaderboard: runs by macro-F1 on validation with intervals, one table per data set."""

from __future__ import annotations

from collections.abc import Sequence

from mhc.report.document import Block, Cells, Column, Grid, Paragraph, Section
from mhc.report.formatting import format_duration, format_number
from mhc.report.results import Overview, RunResult
from mhc.report.sections.state import rest
from mhc.report.tables import MISSING, Cell, score

MAX_ROWS = 500
"""Runs of one data set."""
COLUMNS = (
    Column("run"),
    Column("category"),
    Column("model"),
    Column("val macro-F1", number=True),
    Column("test macro-F1", number=True),
    Column("calibration error", number=True),
    Column("parameters", number=True),
    Column("took", number=True),
    Column("candidate"),
    Column("what differs"),
)
NOTE = (
    "Runs are ordered by validation: an order by test would make the best test score one that was picked. Debug runs "
    "come last. In brackets: 95 % intervals (studentised bootstrap over the rows) of single runs; the best of many is "
    "too good by chance. The calibration error is that on validation. Runs that were scored on different rows are in "
    "different tables."
)


def leaderboard(overview: Overview) -> Section | None:
    """Return the runs that have a score on validation, best first; None without such a run."""
    blocks: list[Block] = [
        block for data, runs in overview.data_sets.items() if any(map(_value, runs)) for block in _table(data, runs)
    ]
    return Section(title="Leaderboard", blocks=[Paragraph(text=NOTE), *blocks]) if blocks else None


def _value(run: RunResult) -> float | None:
    return run.score("val")


def _table(data: str, runs: Sequence[RunResult]) -> list[Block]:
    scored = [run for run in runs if run.score("val") is not None]
    rows = [_cells(run, first=run is scored[0]) for run in scored[:MAX_ROWS]]
    columns = COLUMNS if any(run.label for run in scored) else COLUMNS[:-1]
    return [
        Grid(
            caption=f"Runs on {data}, best macro-F1 on validation first",
            columns=columns,
            rows=[row[: len(columns)] for row in rows],
            main=True,
        ),
        *rest(len(scored), MAX_ROWS),
    ]


def _cells(run: RunResult, *, first: bool) -> Cells:
    record = run.record
    val = record.metrics.val
    return (
        run.record.id,
        record.category.value if record.category else MISSING,
        record.model.name if record.model else MISSING,
        Cell(with_interval(run, "val"), "bold" if first else ""),
        with_interval(run, "test"),
        score(val.ece if val else None),
        format_number(record.model.parameters if record.model else None),
        format_duration(run.seconds),
        _candidate(run),
        run.label,
    )


def with_interval(run: RunResult, split: str) -> str:
    """Return macro-F1 with its interval: `0.612 (0.596 to 0.628)`; without one if there is no evidence."""
    interval = run.f1.get(split)
    value = score(run.score(split))
    return value if interval is None else f"{value} ({interval.low:.3f} to {interval.high:.3f})"


def _candidate(run: RunResult) -> Cell:
    if run.record.promotion.candidate is None:
        return Cell("not judged")
    return Cell("yes", "green") if run.record.promotion.candidate else Cell("no")
