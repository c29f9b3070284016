"""`mhc report`: one file that shows runs to people: a page, Markdown, LaTeX tables, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.run_argument import RUN

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.report.document import Document

FORMATS = {"html": "report.html", "md": "report.md", "latex": "report.tex"}
"""The formats, and the file of each if --output is not given."""


@click.command("report")
@click.argument("run_ids", type=RUN, nargs=-1, metavar="[RUN]...")
@click.option("--sweep", metavar="ID", help="The runs of this sweep.")
@click.option("--where", metavar="EXPRESSION", help='The runs to show: "val.f1_macro >= 0.5".')
@click.option("--all", "all_runs", is_flag=True, help="All runs.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file. [report.html]")
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="html", help="[html]")
@click.option("--figures", type=click.Path(path_type=Path, file_okay=False), help="Write the figures here, too.")
@click.pass_obj
def report_command(
    context: Context,
    *,
    run_ids: tuple[str, ...],
    sweep: str | None,
    where: str | None,
    all_runs: bool,
    output: Path | None,
    kind: str,
    figures: Path | None,
) -> None:
    """Write a report on runs: leaderboard, sweeps, curves, confusion, calibration, candidates, the champion.

    It has ids, labels and numbers, and no text of the data.

    Example: mhc report --all -o report.html
    """
    from mhc.cli.output import echo
    from mhc.cli.run_options import open_index, warn_unreadable

    if not (run_ids or sweep or where or all_runs):
        raise click.UsageError("Name runs, or select them: mhc report ID, --sweep ID, --where EXPRESSION, --all")
    target = checked_output(output, kind)
    index = open_index(context)
    rows = selected(index, run_ids, sweep, where, all_runs=all_runs)
    document = document_of(context, index, rows, all_runs=all_runs)
    write(document, kind, target)
    echo(f"{len(rows):,} run{'s' * (len(rows) != 1)} in {target}")
    if figures is not None:
        from mhc.report.formats import pictures

        echo(f"{len(pictures.write(document, figures)):,} figures in {figures}")
    warn_unreadable(index)


def checked_output(output: Path | None, kind: str) -> Path:
    """Return the file of the report.

    Raises:
        BadInput: if it has another ending, is not a regular file, or its folder does not exist.
    """
    from mhc.errors import BadInput

    target = output or Path(FORMATS[kind])
    ending = Path(FORMATS[kind]).suffix
    if target.suffix != ending:
        raise BadInput(f"{target} does not end in {ending}. Give such a file with -o, or another --format")
    if target.exists() and not target.is_file():
        raise BadInput(f"{target} is not a regular file. Give another file with -o")
    if not target.parent.is_dir():
        raise BadInput(f"The folder {target.parent} does not exist. Make it, or give another file with -o")
    return target


def selected(
    index: Index, run_ids: Sequence[str], sweep: str | None, where: str | None, *, all_runs: bool
) -> list[Row]:
    """Return the runs that were named or selected in any of the ways, once, newest first.

    Raises:
        BadInput: if the expression is invalid, or no run fits.
        NotFound: if there is no such run or sweep.
        Conflict: if several runs fit an id.
    """
    from mhc.cli.run_argument import find_rows
    from mhc.errors import BadInput, NotFound
    from mhc.index.query import parse
    from mhc.index.records import config_names
    from mhc.index.selection import RunFilter, Selection
    from mhc.timestamps import now

    rows = index.readable() if all_runs else find_rows(index, run_ids)
    if sweep:
        members = index.sweep(sweep)
        if not members:
            raise NotFound(f"No sweep {sweep!r} in {index.outputs}. See the sweeps with: mhc list --group sweep")
        rows += members
    if where:
        condition = parse(where, now(), config_names(index))
        rows += Selection(index, RunFilter(where=condition), now()).rows()
    if not rows:
        raise BadInput(f"No run in {index.outputs} fits. See the runs with: mhc list")
    unique = {row.path: row for row in rows}.values()
    return sorted(unique, key=lambda row: -(row.created or 0))


def document_of(context: Context, index: Index, rows: Sequence[Row], *, all_runs: bool) -> Document:
    """Return the report on these runs."""
    from mhc.analysis.overview import overview
    from mhc.report import whole
    from mhc.timestamps import now

    title = rows[0].id if len(rows) == 1 else f"Report on {len(rows):,} runs"
    values = overview(index, rows, context.registry(), title=title, now=now(), whole_history=all_runs)
    return whole.of_run(values) if len(rows) == 1 else whole.document(values)


def write(document: Document, kind: str, target: Path) -> None:
    """Write the report in that format.

    Raises:
        BadInput: if the file cannot be written.
    """
    from mhc.report.formats import latex, markdown, page
    from mhc.runs import atomic

    render = {"html": page.render, "md": markdown.render, "latex": latex.render}[kind]
    atomic.write(target, render(document).encode())
