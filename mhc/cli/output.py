"""Tables and JSON: rich tables on a terminal, fitted to its width; uncoloured lines with tabs in a pipe.

Every cell goes through `mhc.terminal.clean`, so a command may pass on what is on disk. `--json` is the one shape of all
reading commands, documented in docs/cli.md: a list of records as in `run.json`, each with `location` and `path` added,
and with the derived status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from mhc.terminal import clean, clean_lines, cut, cut_middle, escape_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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
    wrap: bool = False
    """Goes on in the next line instead of being cut; for sentences."""


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


def no_color() -> bool:
    """Whether NO_COLOR is set (https://no-color.org): then not even bold is used."""
    return bool(os.environ.get("NO_COLOR"))


def say(sentence: str = "", style: str = "") -> None:
    """Print a sentence (or several lines) after taking out what must not reach a terminal."""
    text = clean_lines(sentence)
    if style and on_terminal():
        _console().print(text, style=style, markup=False, highlight=False)
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


def title(words: str) -> None:
    """Print the heading of a part, with an empty line before it."""
    say()
    say(clean(words), "bold")


def show(columns: Sequence[Column], rows: Sequence[Row], *, header: bool = True) -> None:
    """Print a table. In a pipe nothing is cut and no column is left out."""
    cells = [[_cleaned(cell) for cell in row] for row in rows]
    if on_terminal():
        _console().print(_rich(columns, cells, header=header))
        return
    lines = ["\t".join(column.title for column in columns)] if header else []
    lines += ["\t".join(cell.text for cell in row) for row in cells]
    click.echo("\n".join(lines))


@contextmanager
def live() -> Iterator[Callable[[Sequence[Column], Sequence[Row]], None]]:
    """Give a function that draws a table over the one before; in a pipe, one under the other."""
    if not on_terminal():
        yield show
        return
    from rich.live import Live

    with Live(console=_console(), auto_refresh=False) as screen:
        yield lambda columns, rows: screen.update(
            _rich(columns, [[_cleaned(cell) for cell in row] for row in rows]), refresh=True
        )


def fit(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], total: int) -> list[tuple[int, int]]:
    """(index, width) of the columns that fit into `total`: first cut, then leave out by rank. Pure.

    What is to spare goes to the narrowest of the columns that are cut.
    """
    wanted = [max([len(c.title), *(len(row[i].text) for row in rows)]) for i, c in enumerate(columns)]
    kept = [i for i in range(len(columns)) if not columns[i].rank or any(row[i].text.strip("- ") for row in rows)]
    while True:
        narrow = sum(_narrowest(columns[i], wanted[i]) for i in kept) + GAP * (len(kept) - 1)
        leaving = max(kept, key=lambda i: columns[i].rank, default=0)
        if narrow <= total or not kept or columns[leaving].rank == 0:
            break
        kept.remove(leaving)
    widths = {i: _narrowest(columns[i], wanted[i]) for i in kept}
    for _ in range(total - narrow):
        short = [i for i in kept if widths[i] < wanted[i]]
        if not short:
            break
        widths[min(short, key=widths.__getitem__)] += 1
    return list(widths.items())


def _narrowest(column: Column, wanted: int) -> int:
    least = column.least or (24 if column.wrap else 0)
    return min(least, wanted) if least else wanted


def _cleaned(cell: str | Cell) -> Cell:
    return Cell(clean(cell.text), cell.style) if isinstance(cell, Cell) else Cell(clean(cell))


def _rich(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, header: bool = True) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", show_header=header)
    fitted = fit(columns, rows, width())
    for i, wide in fitted:
        column = columns[i]
        justify = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, width=wide, no_wrap=not column.wrap)  # type: ignore[arg-type]
    for row in rows:
        texts = []
        for i, wide in fitted:
            texts.append(Text(_shortened(row[i].text, columns[i], wide), style=row[i].style))
        table.add_row(*texts)
    return table


def _shortened(text: str, column: Column, wide: int) -> str:
    if column.wrap:
        return text
    return cut_middle(text, wide) if column.middle else cut(text, wide)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, width=width(), color_system=None if no_color() else "auto")


Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""What JSON can hold."""


def show_json(value: object) -> None:
    """Print as indented JSON, with everything that a terminal could act on written as an escape.

    `value`: anything that msgspec encodes: dicts, lists, structs.
    """
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    click.echo(escape_json(text))
