"""`mhc compare`: configs and metrics of runs beside each other, what differs first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.run_argument import RUN
from mhc.cli.run_options import as_json as json_option

if TYPE_CHECKING:
    from mhc.index.compare import Comparison, Line
    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.index.seed_groups import Group


@click.command()
@click.argument("run_ids", type=RUN, nargs=-1, required=True, metavar="ID ID...")
@click.option("--all", "everything", is_flag=True, help="Show what is the same, too.")
@json_option
@click.pass_obj
def compare(place: Place, run_ids: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Configs and metrics of runs side by side, what differs first; mean and interval of their seed groups.

    Example: mhc compare attention_20261120_1200 focal_20261120_1300
    """
    from mhc.cli.run_options import index_of
    from mhc.errors import BadInput
    from mhc.index.resolve import find

    index = index_of(place)
    rows = list({row.path: row for row in (find(index, given) for given in run_ids)}.values())
    if len(rows) < 2:
        raise BadInput(
            f"To compare takes two runs; {rows[0].id} alone was given. See it with: mhc details {rows[0].id}"
        )
    show_comparison(index, rows, as_json=as_json, everything=everything)


def show_comparison(index: Index, rows: list[Row], *, as_json: bool, everything: bool = False) -> None:
    """Print the runs beside each other."""
    from mhc.index import compare as comparing

    comparison = comparing.compare(index, rows)
    if as_json:
        from mhc.cli.output import show_json

        show_json(as_record(index, comparison))
        return
    from mhc.cli.output import title

    title("What differs")
    differing = [line for line in comparison.config if line.differs]
    show_lines(comparison, differing, "Nothing in config, data, model or code.")
    title("Metrics")
    show_lines(comparison, [line for line in comparison.metrics if everything or is_main(line)], "None on record.")
    if comparison.groups:
        title("Their seed groups, on test")
        show_groups(comparison.groups)
    show_same(comparison, everything)


def show_same(comparison: Comparison, everything: bool) -> None:
    """Tabulate what is the same, or say how much that is."""
    from mhc.cli.output import remark, title

    same = [line for line in comparison.config if not line.differs]
    if everything:
        title("What is the same")
        show_lines(comparison, same, "Nothing.")
    else:
        remark(f"\n{len(same)} other values are the same. See them, and every metric, with --all")


def is_main(line: Line) -> bool:
    """Whether a metric is shown without --all: those of the whole split, and the F1 of each class on test."""
    return line.field.count(".") == 1 or line.field.startswith("test.f1.")


def show_lines(comparison: Comparison, lines: list[Line], nothing: str) -> None:
    """Tabulate fields against runs; as many tables one under the other as the terminal's width asks for."""
    from mhc.cli.commands.list import text_of
    from mhc.cli.output import Cell, Column, on_terminal, say, show, width

    if not lines:
        say(nothing, "dim")
        return
    least = 14
    fields = min(max(len(line.field) for line in lines), width() // 3)
    at_once = max(1, (width() - fields) // (least + 2)) if on_terminal() else len(comparison.rows)
    for start in range(0, len(comparison.rows), at_once):
        some = comparison.rows[start : start + at_once]
        columns = [Column("", least=fields, middle=True), *(Column(row.id, least=least, middle=True) for row in some)]
        bodies = [(line.field, *map(text_of, line.values[start : start + at_once])) for line in lines]
        show(columns, [[Cell(field, "dim"), *values] for field, *values in bodies])


def show_groups(groups: list[Group]) -> None:
    """Tabulate mean, standard deviation and interval of the groups' completed members."""
    from mhc.cli.commands.list import interval, mean_and_sd
    from mhc.cli.output import Column, show

    columns = (
        Column("group", least=8),
        Column("runs", right=True),
        Column("macro-F1"),
        Column("95 % interval"),
        Column("accuracy"),
        Column("95 % interval", rank=1),
    )
    rows = []
    for group in groups:
        accuracy, f1_macro = group.accuracy, group.f1_macro
        scores = (mean_and_sd(f1_macro), interval(f1_macro), mean_and_sd(accuracy), interval(accuracy))
        rows.append((group.key[:16], str(len(group.rows)), *scores))
    show(columns, rows)


def as_record(index: Index, comparison: Comparison) -> dict[str, object]:
    """A comparison as `--json` gives it: the records, and what differs by field."""
    from mhc.cli.commands.list import as_record as group_record
    from mhc.index.selection import record_dicts

    ids = [row.id for row in comparison.rows]
    lines = [*comparison.config, *comparison.metrics]
    return {
        "runs": record_dicts(index, comparison.rows),
        "differs": {line.field: dict(zip(ids, line.values, strict=True)) for line in lines if line.differs},
        "groups": [group_record(group) for group in comparison.groups],
    }
