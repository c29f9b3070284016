"""A report as one HTML file: no network, no script; light and dark, print, phone, screen reader."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mhc.report.document import Document, Figure
from mhc.report.figures import canvas
from mhc.report.tables import Cell
from mhc.terminal import clean

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_CELL = 400
"""Characters of a cell."""


def render(document: Document) -> str:
    """Return the page."""
    return _environment().get_template("page.html.j2").render(document=document)


@cache
def _environment() -> Environment:
    """Return the templates; every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mhc.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(text=_text, style=_style, svg=_svg, clean=clean)
    return environment


def _text(cell: str | Cell) -> str:
    return clean(cell.text if isinstance(cell, Cell) else cell, MAX_CELL)


def _style(cell: str | Cell) -> str:
    return cell.style if isinstance(cell, Cell) else ""


def _svg(figure: Figure) -> str:
    """Return the figure as an element; matplotlib has escaped its texts."""
    return canvas.as_svg(figure.draw, figure.name)
