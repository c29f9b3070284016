"""`mhc data`: what data files are, what is wrong with them, and the command line that trains on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mhc.audit.examine import Examined
    from mhc.report.document import Block, Grid


@click.command("data")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE...")
@click.option("--text", "texts", multiple=True, metavar="COLUMN", help="Column of texts; several are joined.")
@click.option("--label", metavar="COLUMN", help="Column of labels.")
@click.option("--author", metavar="COLUMN", help="Column of authors.")
@click.option("--split", metavar="COLUMN", help="Column with train, val and test.")
@click.option("--separator", metavar="CHARACTER", help="Separator of the fields. [found in the file]")
@click.option("--quoting", type=click.Choice(["double", "none"]), help="[found in the file]")
@click.option("--encoding", metavar="NAME", help="[found in the file]")
@click.option("--encoding-errors", "errors", metavar="NAME", default="strict", help="For bytes that do not fit.")
@click.option("--suspects/--no-suspects", default=True, help="Whether to look for wrong labels, which takes longest.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a page, too.")
@click.option("--show-texts", is_flag=True, help="Show the texts of suspect rows; only on a terminal.")
def data_command(
    *,
    files: tuple[Path, ...],
    texts: tuple[str, ...],
    label: str | None,
    author: str | None,
    split: str | None,
    separator: str | None,
    quoting: str | None,
    encoding: str | None,
    errors: str,
    suspects: bool,
    as_json: bool,
    html: Path | None,
    show_texts: bool,
) -> None:
    """Examine data files before a training: columns, classes, lengths, defects, suspect labels, the command to type.

    Files of several splits are told apart by their names. Numbers of rows are shown, and no text.

    Example: mhc data train.csv test.csv
    """
    from mhc.audit.examine import examine
    from mhc.audit.tables import Wishes
    from mhc.cli.output import on_terminal
    from mhc.data.tables.options import Reading

    if show_texts and not on_terminal():
        raise click.UsageError(
            "--show-texts shows texts only on a terminal, so that they get into no file. Leave it out"
        )
    reading = Reading(separator=separator, quoting=quoting, encoding=encoding, encoding_errors=errors, prefix="--")  # type: ignore[arg-type]
    wishes = Wishes(text=texts, label=label, author=author, split=split, reading=reading)
    examined = examine(list(files), wishes, check_labels=suspects)
    show(examined, as_json=as_json, html=html)
    if show_texts:
        show_suspects(examined)


def show(examined: Examined, *, as_json: bool, html: Path | None) -> None:
    """Print the audit as JSON or as tables, and write the page.

    Raises:
        BadInput: if the page cannot be written.
    """
    from mhc.audit.document import document
    from mhc.cli.commands.report import write
    from mhc.cli.output import echo, show_json, title
    from mhc.timestamps import now

    report = document(examined.audit, f"{now():%Y-%m-%d %H:%M} UTC")
    if html is not None:
        write(report, "html", html)
    if as_json:
        show_json(examined.audit)
        return
    for section in report.sections:
        title(section.title)
        for block in section.blocks:
            show_block(block)
    if html is not None:
        echo(f"\nThe same as a page: {html}")


def show_block(block: Block) -> None:
    """Print a paragraph or a table."""
    from mhc.cli.output import echo
    from mhc.report.document import Grid, Paragraph

    if isinstance(block, Paragraph):
        echo(f"- {block.text}" if block.important else block.text)
    elif isinstance(block, Grid):
        show_grid(block)


def show_grid(grid: Grid) -> None:
    """Print a table."""
    from mhc.cli.output import Column, echo, show_table

    echo()
    columns = [Column(one.title, right=one.number, min_width=0 if one.number else 12) for one in grid.columns]
    show_table(columns, grid.rows)
    echo()


def show_suspects(examined: Examined) -> None:
    """Print the texts of suspect rows."""
    from mhc.cli.output import echo, title

    check = examined.audit.labelling
    title("Texts of the most suspect rows")
    for one in check.worst if check else []:
        echo(f"{one.file}, row {one.row}: {one.given}, suspected {one.suspected}", "bold")
        echo(examined.text(one.file, one.row))
