"""Tables: by rich on a terminal, fitted to its width; lines with tabs, whole and uncoloured, in a pipe.

Every cell goes through `mhc.cli.sanitise.clean`, so a command may hand over what stood on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from mhc.cli.sanitise import clean, clean_lines, cut, cut_middle

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2
"""Blanks between two columns."""


class Cell(NamedTuple):
    """A text with a style of rich (`green`, `bold red`), used on terminals only."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    least: int = 0
    """May be cut down to this width where the terminal is narrow; 0: is never cut."""
    middle: bool = False
    """Cut in the middle, as run ids are."""
    rank: int = 0
    """When even cutting does not help, the column with the highest rank is left out first; 0: never."""


Row = Sequence[str | Cell]

STATUS_STYLES = {
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "interrupted": "yellow",
    "lost": "magenta",
    "unknown": "dim",
}


def status_cell(status: str) -> Cell:
    """A status in its colour."""
    return Cell(status, STATUS_STYLES.get(status, ""))


def on_terminal() -> bool:
    """Whether a person reads the output."""
    return sys.stdout.isatty()


def width() -> int:
    """Columns of the terminal, or what COLUMNS says."""
    from shutil import get_terminal_size

    return get_terminal_size((80, 24)).columns


def say(sentence: str = "", style: str = "") -> None:
    """Print a sentence (or several lines) after taking out what must not reach a terminal."""
    text = clean_lines(sentence)
    if style and on_terminal():
        _console().print(text, style=style, markup=False, highlight=False, soft_wrap=True)
    else:
        click.echo(text)


def warn(sentence: str) -> None:
    """Like `say`, on stderr: what a person should know, but a pipe should not carry."""
    click.echo(clean_lines(sentence), err=True)


def remark(sentence: str) -> None:
    """A sentence about a table: under it on a terminal, on stderr in a pipe, which should carry the table alone."""
    if on_terminal():
        say(sentence, "dim")
    else:
        warn(sentence)


def show(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table. In a pipe nothing is cut and no column is left out."""
    cells = [[_cleaned(cell) for cell in row] for row in rows]
    if on_terminal():
        _show_rich(columns, cells)
        return
    lines = ["\t".join(column.title for column in columns)]
    lines += ["\t".join(cell.text for cell in row) for row in cells]
    click.echo("\n".join(lines))


def fit(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], total: int) -> list[tuple[int, int]]:
    """(index, width) of the columns that fit into `total`: first cut, then leave out by rank. Pure."""
    wanted = [max([len(c.title), *(len(row[i].text) for row in rows)]) for i, c in enumerate(columns)]
    kept = [i for i in range(len(columns)) if not columns[i].rank or any(row[i].text.strip("- ") for row in rows)]
    while True:
        narrow = sum(_narrowest(columns[i], wanted[i]) for i in kept) + GAP * (len(kept) - 1)
        leaving = max(kept, key=lambda i: columns[i].rank, default=0)
        if narrow <= total or not kept or columns[leaving].rank == 0:
            break
        kept.remove(leaving)
    spare = max(total - narrow, 0)
    widths = []
    for i in kept:
        least = _narrowest(columns[i], wanted[i])
        extra = min(wanted[i] - least, spare)
        spare -= extra
        widths.append((i, least + extra))
    return widths


def _narrowest(column: Column, wanted: int) -> int:
    return min(column.least, wanted) if column.least else wanted


def _cleaned(cell: str | Cell) -> Cell:
    return Cell(clean(cell.text), cell.style) if isinstance(cell, Cell) else Cell(clean(cell))


def _show_rich(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    fitted = fit(columns, rows, width())
    for i, wide in fitted:
        column = columns[i]
        table.add_column(column.title, justify="right" if column.right else "left", width=wide, no_wrap=True)
    for row in rows:
        texts = []
        for i, wide in fitted:
            shorten = cut_middle if columns[i].middle else cut
            texts.append(Text(shorten(row[i].text, wide), style=row[i].style))
        table.add_row(*texts)
    _console().print(table)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, width=width())
