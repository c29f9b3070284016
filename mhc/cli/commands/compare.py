"""`mhc compare`: configs and metrics of runs side by side, or the runs of a sweep by what was varied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.run_argument import RUN
from mhc.cli.run_options import json_option

if TYPE_CHECKING:
    from mhc.index.compare import Comparison, Line
    from mhc.index.config_names import Words
    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.production.paired_runs import PairedTest
    from mhc.report.tables import Cell

MIN_VALUE_WIDTH = 14
MAX_RUNS = 1000
"""Runs that are compared at once."""


@click.command("compare")
@click.argument("run_ids", type=RUN, nargs=-1, metavar="[ID|SWEEP]...")
@click.option("--where", metavar="EXPRESSION", help='The runs to compare: "sweep is null and lr < 0.01".')
@click.option("--all", "show_all", is_flag=True, help="Show runs side by side, with equal values and all metrics.")
@json_option
@click.pass_obj
def compare_command(
    context: Context, *, run_ids: tuple[str, ...], where: str | None, show_all: bool, as_json: bool
) -> None:
    """Compare runs side by side, or those of a sweep or of --where by what was varied, with paired tests.

    Example: mhc compare attention_20261120_1200 focal_20261120_1300
    """
    from mhc.cli.run_options import open_index
    from mhc.errors import BadInput
    from mhc.index.fields import CONFIG
    from mhc.index.query import parse
    from mhc.index.records import config_names
    from mhc.index.selection import RunFilter, Selection
    from mhc.timestamps import now

    if not run_ids and not where:
        raise click.UsageError("Name runs, a sweep, or a condition: mhc compare ID ID, mhc compare SWEEP")
    index = open_index(context)
    rows, many = named_rows(index, run_ids)
    asked: list[Words] = []
    if where:
        condition = parse(where, now(), config_names(index))
        asked = [path[1:] for path in condition.paths if path[0] == CONFIG]
        rows += Selection(index, RunFilter(where=condition), now()).rows()
    rows = list({row.path: row for row in rows}.values())
    if not rows:
        raise BadInput(f"No run in {context.outputs} fits {where!r}. See the runs with: mhc list")
    if len(rows) < 2:
        raise BadInput(f"A comparison needs two runs; {rows[0].id} is one. See it with: mhc details {rows[0].id}")
    if len(rows) > MAX_RUNS:
        raise BadInput(f"{len(rows):,} runs fit, at most {MAX_RUNS:,} are compared. Give a narrower --where")
    by_values = (many or bool(where)) and not show_all
    show_comparison(context, index, rows, asked, as_json=as_json, show_all=show_all, by_values=by_values)


def named_rows(index: Index, run_ids: Sequence[str]) -> tuple[list[Row], bool]:
    """Return the runs with these ids, and those of the sweeps with these ids; and whether there is a sweep.

    Raises:
        NotFound: if neither a run nor a sweep has one of the ids.
        Conflict: if several runs have one of them.
    """
    from mhc.errors import NotFound
    from mhc.index.resolve import find

    rows: list[Row] = []
    has_sweep = False
    for run_id in run_ids:
        try:
            rows.append(find(index, run_id))
        except NotFound:
            sweep = index.sweep(run_id)
            if not sweep:
                raise
            rows += sweep
            has_sweep = True
    return rows, has_sweep


def show_comparison(
    context: Context,
    index: Index,
    rows: list[Row],
    asked: Sequence[Words] = (),
    *,
    as_json: bool,
    show_all: bool = False,
    by_values: bool = False,
) -> None:
    """Print the runs side by side, or as a table of the values in which they differ; and the paired tests.

    Raises:
        Unreadable: if the record of one of them cannot be read.
    """
    from mhc.cli.group_table import show_fold_groups
    from mhc.cli.output import show_json
    from mhc.cli.paired_table import paired_tests, show_paired_tests
    from mhc.cli.run_table import show_runs
    from mhc.index.compare import compare
    from mhc.index.labels import labels_of
    from mhc.policy import load

    comparison = compare(index, rows)
    tests = paired_tests(index, rows, load(context.policy).promotion, of_best=by_values)
    if as_json:
        show_json(comparison_record(index, comparison, tests, context.policy))
        return
    labels = labels_of(index, rows, asked)
    if by_values:
        show_runs(rows, labels)
        show_fold_groups(index, rows, context.policy)
    else:
        show_side_by_side(index, comparison, context.policy, show_all=show_all)
    folders = (index.folder(row.path).name for row in rows)
    show_paired_tests(tests, dict(zip(folders, labels.texts, strict=True)))


def show_side_by_side(index: Index, comparison: Comparison, policy: str, *, show_all: bool) -> None:
    """Print what differs, the metrics with the best ones marked, and the seed groups."""
    from mhc.cli.group_table import fold_scores, group_labels, show_groups
    from mhc.cli.output import title

    title("What differs")
    differences = [line for line in comparison.config if line.differs]
    show_lines(comparison, differences, "Nothing in config, data, model or code.")
    title("Metrics (*: the best)" if any(line.best for line in comparison.metrics) else "Metrics")
    metrics = [line for line in comparison.metrics if show_all or is_main_metric(line)]
    show_lines(comparison, metrics, "None recorded.")
    if comparison.groups:
        title("Their seed groups")
        labels = group_labels(index, comparison.groups, "seed")
        show_groups(comparison.groups, labels, fold_scores(index, comparison.groups, policy))
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
            (Cell(line.field, "dim"), *(value_cell(line, i) for i in range(len(comparison.rows))[part]))
            for line in lines
        ]
        show_table([Column("", min_width=field_width, cut_middle=True), *runs], cells)


def value_cell(line: Line, position: int) -> Cell:
    """Return the value of one run, marked if it is the best."""
    from mhc.report.formatting import format_value
    from mhc.report.tables import Cell

    text = format_value(line.values[position])
    return Cell(f"{text} *", "bold green") if position in line.best else Cell(text)


def comparison_record(
    index: Index, comparison: Comparison, tests: Sequence[PairedTest], policy: str
) -> dict[str, object]:
    """Return a comparison as `--json` prints it: the records, and the differences by field and run."""
    from mhc.cli.group_table import fold_scores, group_labels, group_record
    from mhc.cli.paired_table import test_record
    from mhc.index.records import record_dicts

    ids = [row.id for row in comparison.rows]
    lines = [*comparison.config, *comparison.metrics]
    labels = group_labels(index, comparison.groups, "seed")
    folds = fold_scores(index, comparison.groups, policy)
    return {
        "runs": record_dicts(index, comparison.rows),
        "differs": {line.field: dict(zip(ids, line.values, strict=True)) for line in lines if line.differs},
        "best": {line.field: [ids[i] for i in sorted(line.best)] for line in lines if line.best},
        "groups": [group_record(*line) for line in zip(comparison.groups, labels, folds, strict=True)],
        "paired": [test_record(test) for test in tests],
    }
