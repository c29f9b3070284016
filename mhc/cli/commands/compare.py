"""`mhc compare`: configs and metrics of runs side by side, differences first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.run_argument import RUN
from mhc.cli.run_options import json_option

if TYPE_CHECKING:
    from mhc.index.compare import Comparison, Line
    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.index.seed_groups import Group

MIN_VALUE_WIDTH = 14


@click.command("compare")
@click.argument("run_ids", type=RUN, nargs=-1, required=True, metavar="ID ID...")
@click.option("--all", "show_all", is_flag=True, help="Show equal values and all metrics, too.")
@json_option
@click.pass_obj
def compare_command(context: Context, *, run_ids: tuple[str, ...], show_all: bool, as_json: bool) -> None:
    """Show configs and metrics of runs side by side, differences first, and the means of their seed groups.

    Example: mhc compare attention_20261120_1200 focal_20261120_1300
    """
    from mhc.cli.run_options import open_index
    from mhc.errors import BadInput
    from mhc.index.resolve import find

    index = open_index(context)
    rows = list({row.path: row for row in (find(index, run_id) for run_id in run_ids)}.values())
    if len(rows) < 2:
        raise BadInput(f"A comparison needs two runs; {rows[0].id} is one. See it with: mhc details {rows[0].id}")
    show_comparison(index, rows, as_json=as_json, show_all=show_all)


def show_comparison(index: Index, rows: list[Row], *, as_json: bool, show_all: bool = False) -> None:
    """Print the runs side by side."""
    from mhc.cli.output import show_json, title
    from mhc.index.compare import compare

    comparison = compare(index, rows)
    if as_json:
        show_json(comparison_record(index, comparison))
        return
    title("What differs")
    differences = [line for line in comparison.config if line.differs]
    show_lines(comparison, differences, "Nothing in config, data, model or code.")
    title("Metrics")
    metrics = [line for line in comparison.metrics if show_all or is_main_metric(line)]
    show_lines(comparison, metrics, "None recorded.")
    if comparison.groups:
        title("Their seed groups, on test")
        show_groups(comparison.groups)
    show_equal_values(comparison, show_all=show_all)


def show_equal_values(comparison: Comparison, *, show_all: bool) -> None:
    """Print a table of the values that are equal, or only their number."""
    from mhc.cli.output import remark, title

    equal = [line for line in comparison.config if not line.differs]
    if show_all:
        title("What is the same")
        show_lines(comparison, equal, "Nothing.")
    else:
        remark(f"\n{len(equal)} other values are the same. See them, and every metric, with --all")


def is_main_metric(line: Line) -> bool:
    """Return whether a metric is shown without --all: those of the whole split, and the F1 of each class on test."""
    return line.field.count(".") == 1 or line.field.startswith("test.f1.")


def show_lines(comparison: Comparison, lines: list[Line], if_empty: str) -> None:
    """Print a table with one line per field and one column per run.

    On a terminal the runs are split over as many tables, one below the other, as its width requires.
    """
    from mhc.cli.formatting import format_value
    from mhc.cli.output import Column, TableRow, echo, on_terminal, show_table, terminal_width
    from mhc.report.tables import Cell

    if not lines:
        echo(if_empty, "dim")
        return
    width = terminal_width()
    field_width = min(max(len(line.field) for line in lines), width // 3)
    per_table = max(1, (width - field_width) // (MIN_VALUE_WIDTH + 2)) if on_terminal() else len(comparison.rows)
    for start in range(0, len(comparison.rows), per_table):
        part = slice(start, start + per_table)
        runs = [Column(row.id, min_width=MIN_VALUE_WIDTH, cut_middle=True) for row in comparison.rows[part]]
        cells: list[TableRow] = [
            (Cell(line.field, "dim"), *(format_value(value) for value in line.values[part])) for line in lines
        ]
        show_table([Column("", min_width=field_width, cut_middle=True), *runs], cells)


def show_groups(groups: list[Group]) -> None:
    """Print mean, standard deviation and interval over the completed runs of each group."""
    from mhc.cli.formatting import format_interval, format_mean
    from mhc.cli.output import Column, show_table

    columns = (
        Column("group", min_width=8),
        Column("runs", right=True),
        Column("macro-F1"),
        Column("95 % interval"),
        Column("accuracy"),
        Column("95 % interval", drop_rank=1),
    )
    rows = [
        (
            group.key[:16],
            str(len(group.rows)),
            format_mean(group.f1_macro),
            format_interval(group.f1_macro),
            format_mean(group.accuracy),
            format_interval(group.accuracy),
        )
        for group in groups
    ]
    show_table(columns, rows)


def comparison_record(index: Index, comparison: Comparison) -> dict[str, object]:
    """Return a comparison as `--json` prints it: the records, and the differences by field and run."""
    from mhc.cli.commands.list import group_record
    from mhc.index.selection import record_dicts

    ids = [row.id for row in comparison.rows]
    lines = [*comparison.config, *comparison.metrics]
    return {
        "runs": record_dicts(index, comparison.rows),
        "differs": {line.field: dict(zip(ids, line.values, strict=True)) for line in lines if line.differs},
        "groups": [group_record(group) for group in comparison.groups],
    }
