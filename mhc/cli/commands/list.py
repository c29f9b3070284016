"""`mhc list`: one line per run, with the usual columns or the fields of --columns; one per group with --group."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.formatting import format_age, format_duration, format_interval, format_mean, format_time, format_value
from mhc.cli.output import Column, TableRow, remark, show_json, show_table, status_cell
from mhc.cli.run_options import FilterOptions, filter_runs, json_option, open_index, warn_unreadable
from mhc.index.fields import FieldValue, Kind, resolve, split
from mhc.report.tables import MISSING, Cell, score
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.index.rows import Row
    from mhc.index.seed_groups import Group
    from mhc.index.selection import Selection

DEFAULT_LIMIT = 50

RUN_COLUMNS = (
    Column("id", min_width=22, cut_middle=True),
    Column("status"),
    Column("category"),
    Column("age", right=True),
    Column("took", right=True),
    Column("acc", right=True),
    Column("F1", right=True),
    Column("cand"),
    Column("tags", min_width=6, drop_rank=2),
    Column("place", drop_rank=3),
)
GROUP_COLUMNS = (
    Column("group", min_width=20, cut_middle=True),
    Column("runs", right=True),
    Column("F1"),
    Column("95 % interval"),
    Column("acc", drop_rank=2),
    Column("best run", min_width=22, cut_middle=True, drop_rank=3),
)
GROUP_UNITS = {"seed": "seed group", "sweep": "sweep", "model": "model"}
CANDIDATE_CELLS = {None: Cell(MISSING, "dim"), 0: Cell("no", "dim"), 1: Cell("yes", "bold green")}


@click.command("list")
@filter_runs
@click.option("--sort", default="created_at", metavar="FIELD", help="Numbers and times: largest first. [created_at]")
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--limit", type=click.IntRange(min=0), default=DEFAULT_LIMIT, help="Maximum number; 0: all. [50]")
@click.option("--columns", metavar="FIELD,...", help="Show these fields instead of the usual columns.")
@click.option("--group", type=click.Choice(list(GROUP_UNITS)), help="One line per group, with mean and sd.")
@json_option
@click.pass_obj
def list_command(
    context: Context,
    *,
    filter_options: FilterOptions,
    sort: str,
    reverse: bool,
    limit: int,
    columns: str | None,
    group: str | None,
    as_json: bool,
) -> None:
    """List the runs of all locations (active, archives, production), newest first.

    Example: mhc list --status completed --since 7d --where "f1_macro >= 0.5 and not tags has paper"
    """
    from mhc.index.selection import Selection, Sort

    order = Sort.by(sort, reverse=reverse)
    index = open_index(context)
    selection = Selection(index, filter_options.parse(now()), now())
    if group:
        show_groups(selection, group, limit, as_json=as_json)
    else:
        show_runs(selection, selection.rows(order, limit), columns, as_json=as_json)
    warn_unreadable(index)


def show_runs(selection: Selection, rows: list[Row], columns: str | None, *, as_json: bool) -> None:
    """Print the runs as JSON, with the fields of `columns`, or with the usual columns."""
    if as_json:
        show_json(selection.records(rows))
        return
    if columns:
        show_fields(selection, rows, columns)
    elif rows:
        show_table(RUN_COLUMNS, [run_cells(row, selection.now) for row in rows])
    remark(counts_sentence(selection, len(rows)))


def run_cells(row: Row, now: datetime) -> TableRow:
    """Return the cells of RUN_COLUMNS."""
    from mhc.index.selection import duration_of

    return (
        row.id,
        status_cell(row.shown),
        Cell(row.category or MISSING, "dim" if row.category == "debug" else ""),
        format_age(row.created, now),
        format_duration(duration_of(row, now)),
        score(row.accuracy),
        score(row.f1_macro),
        CANDIDATE_CELLS[row.candidate],
        row.tags.replace("\n", ", ") or MISSING,
        MISSING if row.location == "active" else row.location,
    )


def counts_sentence(selection: Selection, shown: int) -> str:
    """Return `50 of 10,000 runs: 8,002 completed, 990 failed; 3,400 candidates`."""
    counts = selection.counts()
    if not counts.total:
        return f"No such run in {selection.index.outputs}."
    number = f"{shown:,} of {counts.total:,}" if shown < counts.total else f"{counts.total:,}"
    statuses = ", ".join(f"{count:,} {status}" for status, count in counts.by_status.items())
    candidates = f"; {counts.candidates:,} candidate{'s' * (counts.candidates != 1)}" if counts.candidates else ""
    return f"{number} run{'s' * (counts.total != 1)}: {statuses}{candidates}"


def show_fields(selection: Selection, rows: list[Row], names: str) -> None:
    """Print the fields `names`, separated by commas, of these runs.

    Raises:
        BadInput: if a record has no such field.
    """
    titles = [name for name in map(str.strip, names.split(",")) if name]
    fields = [resolve(split(name)) for name in titles]
    columns = [field_column(name, kind) for name, (_, kind) in zip(titles, fields, strict=True)]
    lines = selection.values(rows, [path for path, _ in fields])
    cells = [[field_cell(*field, value) for field, value in zip(fields, line, strict=True)] for line in lines]
    show_table(columns, cells)


def field_column(name: str, kind: Kind) -> Column:
    """Return the column of a field: numbers are aligned right and never cut."""
    number = kind in (Kind.NUMBER, Kind.SECONDS)
    return Column(name, right=number, min_width=0 if number or name == "status" else 10, cut_middle=name == "id")


def field_cell(path: tuple[str, ...], kind: Kind, value: FieldValue) -> str | Cell:
    """Return the value of a field, formatted by what the field contains."""
    if path == ("status",):
        return status_cell(str(value))
    if kind is Kind.SECONDS and isinstance(value, int | float):
        return format_duration(value)
    if kind is Kind.TIME and isinstance(value, int | float | str):
        return format_time(value)
    return format_value(value)


def show_groups(selection: Selection, by: str, limit: int, *, as_json: bool) -> None:
    """Print the groups of the selected runs, best mean macro-F1 on test first."""
    from mhc.index.seed_groups import grouped

    groups = grouped(selection.rows(), by)
    shown = groups[: limit or None]
    if as_json:
        show_json([group_record(group) for group in shown])
        return
    if shown:
        show_table(GROUP_COLUMNS, [group_cells(group, by) for group in shown])
    remark(
        f"{len(groups):,} {GROUP_UNITS[by]}{'s' * (len(groups) != 1)}. F1 and acc: mean ± standard deviation of "
        "completed runs on test; the interval is Student's t for the mean"
    )


def group_cells(group: Group, by: str) -> TableRow:
    """Return the cells of GROUP_COLUMNS."""
    newest = group.rows[0]
    completed = group.f1_macro.number if group.f1_macro else 0
    return (
        f"{newest.name} {newest.model or ''} {group.key[:8]}" if by == "seed" else group.key,
        f"{len(group.rows)}" if completed == len(group.rows) else f"{completed} of {len(group.rows)}",
        format_mean(group.f1_macro),
        format_interval(group.f1_macro),
        format_mean(group.accuracy),
        group.best.id if group.best else MISSING,
    )


def group_record(group: Group) -> dict[str, object]:
    """Return a group as `--json` prints it."""
    return {
        "group": group.key,
        "runs": [row.id for row in group.rows],
        "accuracy": group.accuracy and group.accuracy._asdict(),
        "f1_macro": group.f1_macro and group.f1_macro._asdict(),
        "best": group.best.id if group.best else None,
    }
