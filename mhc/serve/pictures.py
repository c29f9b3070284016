"""Figures of a report as pictures of their own, which follow the theme of the reader."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mhc.report.document import Document, Figure
from mhc.report.figures import canvas
from mhc.serve.static_files import content

POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""Of a picture: it has its own styles, and no script runs in it."""
STYLE = (
    "text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif; } "
    "* { stroke-linejoin: round; stroke-linecap: butt; }"
)
_SIZE = re.compile(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)" style="[^"]*">')


def figures_of(document: Document) -> Iterator[Figure]:
    """Yield the figures of a report."""
    return (block for _, block in document.flat() if isinstance(block, Figure))


def picture(figure: Figure) -> bytes:
    """Return a figure as an SVG file. matplotlib draws in one thread only."""
    drawn = canvas.as_svg(figure.draw, "p")
    return _SIZE.sub(_opening, drawn, count=1).encode()


def _opening(match: re.Match[str]) -> str:
    width, height = match.groups()
    style = f"<style>{content('palette.css').decode()}{STYLE}</style>"
    space = 'xmlns="http://www.w3.org/2000/svg"'
    return f'<svg {space} width="{width}" height="{height}" viewBox="0 0 {width} {height}">{style}'
