"""`mhc list`: runs as a table, one a line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from mhc.cli import reading
from mhc.cli.place import Place
from mhc.cli.tables import Cell, Column, Row, remark, show, status_cell
from mhc.cli.units import NOTHING, duration, now, score, since

if TYPE_CHECKING:
    from mhc.runs.rows import Row as Run
    from mhc.runs.select import Selection

LATEST = 50
"""Runs that are shown unless --limit says otherwise."""

COLUMNS = (
    Column("id", least=22, middle=True),
    Column("status"),
    Column("category"),
    Column("age", right=True),
    Column("took", right=True),
    Column("acc", right=True),
    Column("F1", right=True),
    Column("cand"),
    Column("tags", least=6, rank=2),
    Column("place", rank=3),
)


@click.command("list")
@reading.choosing
@click.option("--sort", default="created_at", metavar="FIELD", help="Numbers and times: largest first. [created_at]")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--limit", type=click.IntRange(min=0), default=LATEST, help="At most so many; 0: all. [50]")
@click.option("--columns", metavar="FIELD,...", help="These fields instead of the usual columns.")
@click.option("--group", type=click.Choice(["seed", "sweep", "model"]), help="One line a group, with mean and sd.")
@reading.as_json
@click.pass_context
def list_runs(
    ctx: click.Context, sort: str, reverse: bool, limit: int, columns: str | None, group: str | None, as_json: bool
) -> None:
    """All runs in all places (active, archives, production), newest first.

    Example: mhc list --status completed --since 7d --where "f1_macro >= 0.5 and not tags has paper"
    """
    from mhc.runs.select import ALL, Selection, Sort

    place: Place = ctx.obj
    order = Sort.by(sort, reverse)
    index = reading.index_of(place)
    selection = Selection(index, reading.wanted(ctx, now()), now())
    if group:
        from mhc.cli.list_groups import show_groups

        show_groups(selection, group, limit or ALL, as_json)
    else:
        show_runs(selection, selection.rows(order, limit or ALL), columns, as_json)
    reading.tell_unreadable(index)


def show_runs(selection: Selection, rows: list[Run], columns: str | None, as_json: bool) -> None:
    """Print the rows in the way that was asked for."""
    if as_json:
        from mhc.cli.as_json import show_json

        show_json(selection.records(rows))
        return
    if columns:
        from mhc.cli.list_columns import show_columns

        show_columns(selection, rows, columns)
    elif rows:
        show(COLUMNS, [line(row, selection.now) for row in rows])
    remark(summary_line(selection, len(rows)))


def line(row: Run, at: datetime) -> Row:
    """One run as the cells of COLUMNS."""
    from mhc.runs.lookup import lasted

    candidate = {None: Cell(NOTHING, "dim"), 0: Cell("no", "dim"), 1: Cell("yes", "bold green")}[row.candidate]
    return (
        row.id,
        status_cell(row.shown),
        Cell(row.category or NOTHING, "dim" if row.category == "debug" else ""),
        since(row.created, at),
        duration(lasted(row, at)),
        score(row.accuracy),
        score(row.f1_macro),
        candidate,
        row.tags.replace("\n", ", ") or NOTHING,
        NOTHING if row.location == "active" else row.location,
    )


def summary_line(selection: Selection, shown: int) -> str:
    """`50 of 10,000 runs: 8,002 completed, 990 failed; 3,400 candidates`."""
    counts = selection.counts()
    if not counts.total:
        return f"No such run in {selection.index.outputs}."
    of = f"{shown:,} of {counts.total:,}" if shown < counts.total else f"{counts.total:,}"
    parts = ", ".join(f"{count:,} {status}" for status, count in counts.by_status.items())
    flagged = f"; {counts.candidates:,} candidate{'s' * (counts.candidates != 1)}" if counts.candidates else ""
    return f"{of} run{'s' * (counts.total != 1)}: {parts}{flagged}"
