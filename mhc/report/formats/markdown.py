"""A report as Markdown, for a pull request: the tables without the figures. Texts of users are escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mhc.markup import markdown
from mhc.report.document import Block, Cells, Document, Grid, Matrix, Paragraph, Part
from mhc.report.tables import Cell
from mhc.terminal import quantity

MAX_ROWS = 30
"""Rows of a table: a comment on GitHub has at most 65,536 characters."""


def render(document: Document) -> str:
    """Return the document."""
    lines = [f"# {markdown(document.title)}", markdown(f"{document.summary} {document.made}")]
    lines += [f"> {markdown(notice)}" for notice in document.notices]
    for section in document.sections:
        blocks = [text for block in section.blocks for text in _block(block, level=3)]
        if blocks:
            lines += [f"## {markdown(section.title)}", *blocks]
    return "\n\n".join(lines) + "\n"


def _block(block: Block, level: int) -> Iterator[str]:
    match block:
        case Paragraph():
            yield f"> {markdown(block.text)}" if block.important else markdown(block.text)
        case Grid():
            yield from _grid(block)
        case Matrix():
            yield f"**{markdown(block.caption)}**"
            rows = zip(block.names, block.counts, strict=True)
            yield _table(["true class", *block.names], [[name, *map(str, row)] for name, row in rows])
        case Part():
            inner = [text for child in block.blocks for text in _block(child, level + 1)]
            if inner:
                yield f"{'#' * level} {markdown(block.title)}"
                yield from inner
        case _:
            if block.numbers is not None and block.name.startswith("recall"):
                yield from _grid(block.numbers)


def _grid(grid: Grid) -> Iterator[str]:
    yield f"**{markdown(grid.caption)}**"
    yield _table(
        [column.title for column in grid.columns],
        grid.rows[:MAX_ROWS],
        ["--:" if column.number else "---" for column in grid.columns],
    )
    if len(grid.rows) > MAX_ROWS:
        yield f"Left out: {quantity(len(grid.rows) - MAX_ROWS, 'more row')}."


def _table(titles: Sequence[str], rows: Sequence[Cells], rules: Sequence[str] | None = None) -> str:
    lines = [_line(titles), "| " + " | ".join(rules or ["---"] * len(titles)) + " |"]
    return "\n".join([*lines, *map(_line, rows)])


def _line(cells: Cells) -> str:
    return "| " + " | ".join(markdown(cell.text if isinstance(cell, Cell) else cell) for cell in cells) + " |"
