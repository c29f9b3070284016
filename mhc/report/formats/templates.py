"""Templates of pages: every value is escaped, and cut and cleaned as on a terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mhc.report.tables import Cell
from mhc.terminal import clean

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(package: str, longest: int) -> Environment:
    """Return the templates of a package, with the filters `text`, `style` and `clean`.

    Args:
        package: whose folder `templates` has them.
        longest: characters of a cell.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    result = Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    result.filters.update(text=partial(_text, longest=longest), style=_style, clean=clean)
    return result


def _text(cell: str | Cell, longest: int) -> str:
    return clean(cell.text if isinstance(cell, Cell) else cell, longest)


def _style(cell: str | Cell) -> str:
    return cell.style if isinstance(cell, Cell) else ""
