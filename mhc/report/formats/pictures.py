"""The figures of a report as files."""

from __future__ import annotations

from pathlib import Path

from mhc.report.document import Document, Figure, Matrix
from mhc.report.figures import canvas


def write(document: Document, folder: Path) -> list[Path]:
    """Write every figure as PNG, SVG and PDF into the folder, which is made if it is missing; return the paths.

    Raises:
        OSError: if one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = [block for _, block in document.flat() if isinstance(block, Figure | Matrix)]
    return [path for figure in figures for path in canvas.save(figure.draw, folder, figure.name)]
