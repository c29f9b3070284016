"""The main tables of a report as LaTeX with booktabs; special characters are escaped."""

from __future__ import annotations

from collections.abc import Iterator

from mhc.markup import latex
from mhc.report.document import Cells, Document, Grid
from mhc.report.tables import Cell

HEAD = r"% \usepackage{booktabs}"


def render(document: Document) -> str:
    """Return one `table` environment per main table."""
    grids = [block for _, block in document.flat() if isinstance(block, Grid) and block.main]
    tables = [_table(grid, number) for number, grid in enumerate(grids, 1)]
    return "\n\n".join([f"{HEAD}\n% {latex(document.title)}. {latex(document.made)}", *tables]) + "\n"


def _table(grid: Grid, number: int) -> str:
    return "\n".join(_lines(grid, number))


def _lines(grid: Grid, number: int) -> Iterator[str]:
    yield r"\begin{table}"
    yield r"  \centering"
    yield rf"  \caption{{{latex(grid.caption)}}}"
    yield rf"  \label{{tab:runs-{number}}}"
    yield rf"  \begin{{tabular}}{{{''.join('r' if column.number else 'l' for column in grid.columns)}}}"
    yield r"    \toprule"
    yield _line([column.title for column in grid.columns])
    yield r"    \midrule"
    yield from map(_line, grid.rows)
    yield r"    \bottomrule"
    yield r"  \end{tabular}"
    yield r"\end{table}"


def _line(cells: Cells) -> str:
    return "    " + " & ".join(map(_cell, cells)) + r" \\"


def _cell(cell: str | Cell) -> str:
    if not isinstance(cell, Cell):
        return latex(cell)
    return rf"\textbf{{{latex(cell.text)}}}" if "bold" in cell.style else latex(cell.text)
