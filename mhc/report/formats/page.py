"""A report as one HTML file: no network, no script; light and dark, print, phone, screen reader."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mhc.report.document import Document, Figure
from mhc.report.figures import canvas
from mhc.report.formats import templates

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
    environment = templates.environment("mhc.report", MAX_CELL)
    environment.filters["svg"] = _svg
    return environment


def _svg(figure: Figure) -> str:
    """Return the figure as an element; matplotlib has escaped its texts."""
    return canvas.as_svg(figure.draw, figure.name)
