"""`mhc list`: one line per run, with the usual columns or the fields of --columns; one per group with --group."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import Column, TableRow, remark, show_json, show_table, status_cell
from mhc.cli.run_options import (
    FilterOptions,
    filter_runs,
    json_option,
    open_index,
    warn_repeated,
    warn_unreadable,
)
from mhc.index.fields import FieldValue, Kind, resolve, split
from mhc.report.formatting import format_age, format_duration, format_time, format_value
from mhc.report.tables import MISSING, Cell, score
from mhc.terminal import quantity
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.index.rows import Row
    from mhc.index.selection import Selection, Sort

DEFAULT_LIMIT = 50

RUN_COLUMNS = (
    Column("id", min_width=18, cut_middle=True),
    Column("status"),
    Column("category"),
    Column("model", min_width=6),
    Column("data", min_width=6),
    Column("age", right=True),
    Column("took", right=True, drop_rank=2),
    Column("val F1", right=True),
    Column("test F1", right=True, drop_rank=1),
    Column("cand"),
    Column("tags", min_width=6, drop_rank=3),
    Column("place", drop_rank=4),
)
GROUP_UNITS = {"seed": "seed group", "sweep": "sweep", "model": "model"}
CANDIDATE_CELLS = {None: Cell(MISSING, "dim"), 0: Cell("no", "dim"), 1: Cell("yes", "bold green")}


@click.command("list")
@filter_runs
@click.option("--sort", default="created_at", metavar="FIELD", help="Numbers and times: largest first. [created_at]")
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--limit", type=click.IntRange(min=0), default=DEFAULT_LIMIT, help="Maximum number; 0: all. [50]")
@click.option("--columns", metavar="FIELD,...", help="Show these fields instead of the usual columns.")
@click.option("--group", metavar="FIELD", help="One line per seed (equal but for it), sweep, model, or value: lr.")
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

    Example: mhc list --status completed --since 7d --where "lr <= 0.003" --sort val.f1_macro
    """
    from mhc.index.records import config_names
    from mhc.index.selection import Selection, Sort

    index = open_index(context)
    names = config_names(index)
    order = Sort.by(sort, names, reverse=reverse)
    selection = Selection(index, filter_options.parse(now(), names), now())
    if group:
        show_groups(selection, group, limit, context.policy, as_json=as_json)
    else:
        rows = selection.rows(order, limit)
        show_runs(selection, rows, columns, as_json=as_json)
        warn_of_other_data(order, rows)
    warn_unreadable(index)
    warn_repeated(index)


def warn_of_other_data(order: Sort, rows: list[Row]) -> None:
    """Print to stderr that an order by a score has no meaning, if the runs were scored on different rows."""
    from mhc.cli.output import warn

    split = order.path[1] if order.path[0] == "metrics" and len(order.path) > 1 else ""
    scored_on = {row.val_data if split == "val" else row.test_data for row in rows} - {None}
    if split and len(scored_on) > 1:
        warn(
            f"These runs were scored on {len(scored_on)} different {split} splits, so their scores have no order. "
            'Select one data set with: --where "data = ..."'
        )


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
    from mhc.index.records import duration_of

    return (
        row.id,
        status_cell(row.shown),
        Cell(row.category or MISSING, "dim" if row.category == "debug" else ""),
        row.model or MISSING,
        row.data or MISSING,
        format_age(row.created, now),
        format_duration(duration_of(row, now)),
        score(row.val_f1_macro),
        score(row.f1_macro),
        CANDIDATE_CELLS[row.candidate],
        row.tags.replace("\n", ", ") or MISSING,
        MISSING if row.location == "active" else row.location,
    )


def counts_sentence(selection: Selection, shown: int) -> str:
    """Return `50 of 10,000 runs: 8,002 completed, 990 failed; 3,400 candidates`."""
    counts = selection.counts()
    if not counts.total:
        total = selection.index.counts().total
        if not total:
            return (
                f"There are no runs in {selection.index.outputs}. Make the first one, in seconds, on invented texts: "
                "python -m mhc.train model=linear"
            )
        return f"No run fits, of {quantity(total, 'run')} in {selection.index.outputs}."
    number = f"{shown:,} of {counts.total:,}" if shown < counts.total else f"{counts.total:,}"
    statuses = ", ".join(f"{count:,} {status}" for status, count in counts.by_status.items())
    candidates = f"; {counts.candidates:,} candidate{'s' * (counts.candidates != 1)}" if counts.candidates else ""
    return f"{number} run{'s' * (counts.total != 1)}: {statuses}{candidates}"


def show_fields(selection: Selection, rows: list[Row], columns: str) -> None:
    """Print the fields `columns`, separated by commas, of these runs.

    Raises:
        BadInput: if there is no such field.
    """
    from mhc.index.records import config_names

    titles = [title for title in map(str.strip, columns.split(",")) if title]
    names = config_names(selection.index)
    fields = [resolve(split(title), names) for title in titles]
    shown = [field_column(title, kind) for title, (_, kind) in zip(titles, fields, strict=True)]
    lines = selection.values(rows, [path for path, _ in fields])
    cells = [[field_cell(*field, value) for field, value in zip(fields, line, strict=True)] for _, line in lines]
    show_table(shown, cells)


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


def show_groups(selection: Selection, by: str, limit: int, policy: str, *, as_json: bool) -> None:
    """Print the groups of the selected runs, by data set, best mean macro-F1 on validation first.

    Raises:
        BadInput: if `by` is neither a criterion nor a field.
    """
    from mhc.cli import group_table
    from mhc.index.seed_groups import grouped

    rows = selection.rows()
    groups = grouped(rows, group_table.key_function(selection, rows, by))
    shown = groups[: limit or None]
    labels = group_table.group_labels(selection.index, shown, by)
    folds = group_table.fold_scores(selection.index, shown, policy)
    if as_json:
        show_json([group_table.group_record(*line) for line in zip(shown, labels, folds, strict=True)])
        return
    if shown:
        group_table.show_groups(shown, labels, folds)
    unit = GROUP_UNITS.get(by, f"value of {by}")
    remark(f"{len(groups):,} {unit if len(groups) == 1 else plural(unit)}. {group_table.NOTE}")
    if any(folds):
        remark(group_table.FOLD_NOTE)


def plural(unit: str) -> str:
    """Return `seed groups`, `values of lr`."""
    return unit.replace("value of", "values of") if unit.startswith("value of") else f"{unit}s"
