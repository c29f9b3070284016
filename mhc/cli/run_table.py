"""Runs as a table by what was varied: best on validation first; for `compare` of many runs and the end of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mhc.cli.output import Column, TableRow, echo, show_table, status_cell, title
from mhc.report.formatting import format_duration, format_value
from mhc.report.tables import Cell, score

if TYPE_CHECKING:
    from mhc.index.labels import Labels
    from mhc.index.rows import Row

RESULT_COLUMNS = (
    Column("val F1", right=True),
    Column("test F1", right=True),
    Column("status", drop_rank=2),
    Column("took", right=True, drop_rank=3),
    Column("run", min_width=18, cut_middle=True),
)
BEST = "bold green"


def ranked(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the runs by data set, each with the best macro-F1 on validation first and runs without a score last.

    A run that ended before its data was known is shown with those of the first data set.
    """
    from mhc.index.data_sets import by_data_set, key_of_data

    known = by_data_set([row for row in rows if key_of_data(row)]) or by_data_set(rows)
    first = next(iter(known.values()), [])
    first += [row for row in rows if row not in first and not key_of_data(row)]
    return {data: sorted(group, key=lambda row: -(row.val_f1_macro or -1)) for data, group in known.items()}


def show_runs(rows: Sequence[Row], labels: Labels) -> None:
    """Print the runs, one table per data set, and below why runs have not completed."""
    columns = [value_column(name, position) for position, name in enumerate(labels.names)]
    cells = dict(zip(rows, ([format_value(value) for value in line] for line in labels.values), strict=True))
    groups = ranked(rows)
    for data, group in groups.items():
        if len(groups) > 1:
            title(f"On {data}")
        show_table([*columns, *RESULT_COLUMNS], [[*cells[row], *result_cells(row, group[0])] for row in group])
    show_reasons(dict(zip(rows, labels.texts, strict=True)))


def value_column(name: str, position: int) -> Column:
    """Return the column of a varied value; on a narrow terminal the last ones are left out, but not the first two."""
    return Column(name, right=True, drop_rank=0 if position < 2 else len(RESULT_COLUMNS) + position)


def result_cells(row: Row, first: Row) -> TableRow:
    """Return the cells of RESULT_COLUMNS; `first` is the best run if it has a score, and is not one fold of several."""
    best = row is first and row.val_f1_macro is not None and row.fold is None
    return (
        Cell(f"{score(row.val_f1_macro)}{' *' if best else ''}", BEST if best else ""),
        score(row.f1_macro),
        status_cell(row.shown),
        format_duration(row.duration),
        row.id,
    )


def show_reasons(labels: dict[Row, str]) -> None:
    """Print why runs have not completed."""
    rows = [row for row in labels if row.shown not in ("completed", "running")]
    if not rows:
        return
    echo()
    cells = [
        (status_cell(row.shown), labels[row] or row.id, row.reason) for row in sorted(rows, key=lambda row: row.id)
    ]
    show_table((Column("status"), Column("run", min_width=16), Column("reason", wrap=True)), cells)
