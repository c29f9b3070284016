"""Tables and JSON: rich tables on a terminal, fitted to its width; uncoloured lines with tabs in a pipe.

Every cell goes through `mhc.terminal.clean`, so a command may print recorded values. `--json` has the same shape in
all reading commands, documented in docs/cli.md: a list of records as in `run.json`, each with the derived status, and
with `location` and `path` added.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from mhc.report.tables import Cell
from mhc.terminal import clean, clean_lines, cut, cut_middle, escape_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

GAP = 2
"""Blanks between two columns."""
MIN_SENTENCE = 24
"""Minimum width of a column with `wrap`."""


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    """Whether cells are aligned right."""
    min_width: int = 0
    """Width down to which the column may be cut on a narrow terminal; 0: it is never cut."""
    cut_middle: bool = False
    """Whether cells are cut in the middle, as run ids are."""
    drop_rank: int = 0
    """If cutting is not enough, the column with the highest rank is left out first; 0: never."""
    wrap: bool = False
    """Whether cells are wrapped instead of cut; for sentences."""


TableRow = Sequence[str | Cell]

STATUS_STYLES = {
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "interrupted": "yellow",
    "lost": "magenta",
    "unknown": "dim",
}


def status_cell(status: str) -> Cell:
    """Return a status in its colour."""
    return Cell(status, STATUS_STYLES.get(status, ""))


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def terminal_width() -> int:
    """Return the columns of the terminal, or the value of COLUMNS."""
    from shutil import get_terminal_size

    return get_terminal_size((80, 24)).columns


def color_disabled() -> bool:
    """Return whether NO_COLOR is set (https://no-color.org): then not even bold is used."""
    return bool(os.environ.get("NO_COLOR"))


def echo(text: str = "", style: str = "") -> None:
    """Print one or several lines without the characters that a terminal could act on."""
    safe = clean_lines(text)
    if style and on_terminal():
        _console().print(safe, style=style, markup=False, highlight=False)
    else:
        click.echo(safe)


def warn(text: str) -> None:
    """Print like `echo`, but to stderr: for the user, not for a pipe."""
    click.echo(clean_lines(text), err=True)


def remark(text: str) -> None:
    """Print a sentence about a table: below it on a terminal; to stderr in a pipe, which receives the table alone."""
    if on_terminal():
        echo(text, "dim")
    else:
        warn(text)


def title(text: str) -> None:
    """Print the heading of a section, with an empty line before it."""
    echo()
    echo(clean(text), "bold")


def show_table(columns: Sequence[Column], rows: Sequence[TableRow], *, header: bool = True) -> None:
    """Print a table. In a pipe nothing is cut and no column is left out."""
    cells = _clean_rows(rows)
    if on_terminal():
        _console().print(_rich_table(columns, cells, header=header))
        return
    lines = ["\t".join(column.title for column in columns)] if header else []
    lines += ["\t".join(cell.text for cell in row) for row in cells]
    click.echo("\n".join(lines))


@contextmanager
def live_table() -> Iterator[Callable[[Sequence[Column], Sequence[TableRow]], None]]:
    """Yield a function that draws a table over the previous one; in a pipe it prints one below the other."""
    if not on_terminal():
        yield show_table
        return
    from rich.live import Live

    with Live(console=_console(), auto_refresh=False) as screen:
        yield lambda columns, rows: screen.update(_rich_table(columns, _clean_rows(rows)), refresh=True)


def fit_columns(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], total: int) -> list[tuple[int, int]]:
    """Return (index, width) of the columns that fit into `total` characters. Pure.

    Columns are first cut, down to their minimum width, then left out by `drop_rank`. Spare characters go to the
    narrowest of the columns that are cut.
    """
    full = [max([len(c.title), *(len(row[i].text) for row in rows)]) for i, c in enumerate(columns)]
    minimum = [_min_width(column, width) for column, width in zip(columns, full, strict=True)]
    shown = [i for i, c in enumerate(columns) if not c.drop_rank or any(row[i].text.strip("- ") for row in rows)]
    while True:
        needed = sum(minimum[i] for i in shown) + GAP * (len(shown) - 1)
        last = max(shown, key=lambda i: columns[i].drop_rank, default=0)
        if needed <= total or not shown or columns[last].drop_rank == 0:
            break
        shown.remove(last)
    widths = {i: minimum[i] for i in shown}
    for _ in range(total - needed):
        too_narrow = [i for i in shown if widths[i] < full[i]]
        if not too_narrow:
            break
        widths[min(too_narrow, key=widths.__getitem__)] += 1
    return list(widths.items())


def _min_width(column: Column, full: int) -> int:
    minimum = column.min_width or (MIN_SENTENCE if column.wrap else 0)
    return min(minimum, full) if minimum else full


def _clean_rows(rows: Sequence[TableRow]) -> list[list[Cell]]:
    return [[_clean_cell(cell) for cell in row] for row in rows]


def _clean_cell(cell: str | Cell) -> Cell:
    return Cell(clean(cell.text), cell.style) if isinstance(cell, Cell) else Cell(clean(cell))


def _rich_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, header: bool = True) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", show_header=header)
    widths = fit_columns(columns, rows, terminal_width())
    for i, width in widths:
        column = columns[i]
        justify = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, width=width, no_wrap=not column.wrap)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(_cut(row[i].text, columns[i], width), style=row[i].style) for i, width in widths))
    return table


def _cut(text: str, column: Column, width: int) -> str:
    if column.wrap:
        return text
    return cut_middle(text, width) if column.cut_middle else cut(text, width)


def _console() -> Console:
    from rich.console import Console

    class TerminalConsole(Console):
        def on_broken_pipe(self) -> None:  # as every other output; rich exits with 1
            raise BrokenPipeError("the reader has closed the pipe")

    width = terminal_width()
    return TerminalConsole(
        highlight=False, markup=False, width=width, color_system=None if color_disabled() else "auto"
    )


def show_json(value: object) -> None:
    """Print as indented JSON, with every character that a terminal could act on written as an escape.

    Args:
        value: anything that msgspec encodes: dicts, lists, structs.
    """
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    click.echo(escape_json(text))
