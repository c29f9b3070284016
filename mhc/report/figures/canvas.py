"""The look of the figures, and their conversion to files and to SVG within a page.

Within a page the colours are custom properties of CSS, so that they follow the theme of the reader: figures are drawn
in placeholder colours, which are replaced in the SVG.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SETTINGS = {
    "text.parse_math": False,  # a `$` in the name of a run is a character
    "svg.fonttype": "none",
    "svg.hashsalt": "mhc",
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.unicode_minus": False,
    "path.simplify_threshold": 0.5,
}
LEGEND_ROW = 0.17
"""Inches."""
FILE_TYPES = ("png", "svg", "pdf")


class Palette(NamedTuple):
    """Colours by their purpose."""

    paper: str
    text: str
    muted: str
    grid: str
    accent: str
    series: tuple[str, ...]
    """Of lines that are told apart; also by their style."""


PRINT = Palette(
    "#ffffff", "#1c2128", "#6a737d", "#d8dee4", "#0b5cad",
    ("#0b5cad", "#b3470f", "#0a7a4b", "#8a3fa0", "#7a5b00", "#b0204f"),
)  # fmt: skip
"""Of files: on white paper."""
PAGE = Palette(
    "#060606", "#010101", "#020202", "#030303", "#040404",
    ("#050501", "#050502", "#050503", "#050504", "#050505", "#050506"),
)  # fmt: skip
"""Placeholders that `as_svg` replaces."""
PROPERTIES = {
    PAGE.paper: "var(--page)",
    PAGE.text: "var(--text)",
    PAGE.muted: "var(--muted)",
    PAGE.grid: "var(--line)",
    PAGE.accent: "var(--accent)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(PAGE.series, 1)},
}
WIDE = 20
"""Factor from the smallest to the largest value from which an axis is logarithmic."""
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")


class Margins(NamedTuple):
    """Inches around the axes. They are fixed, because to compute them takes as long as to draw the figure."""

    left: float = 0.6
    right: float = 0.15
    top: float = 0.1
    bottom: float = 0.48


def axes_of(
    palette: Palette, width: float = 4.6, height: float = 2.6, margins: Margins | None = None, legend_rows: int = 0
) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes; it is not registered with pyplot.

    Args:
        palette: the colours.
        width: of the figure, in inches.
        height: of the figure without its legend, in inches.
        margins: around the axes.
        legend_rows: rows of the legend below the axes.
    """
    from matplotlib.figure import Figure

    left, right, top, bottom = margins or Margins()
    bottom += legend_rows * LEGEND_ROW
    height += legend_rows * LEGEND_ROW
    figure = Figure(figsize=(width, height), dpi=150)
    figure.patch.set_alpha(0)
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))
    axes.patch.set_alpha(0)
    axes.tick_params(colors=palette.muted, labelcolor=palette.text, length=3, width=0.6)
    axes.grid(color=palette.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(palette.muted)
        spine.set_linewidth(0.6)
    return figure, axes


def name_axes(axes: Axes, palette: Palette, x: str, y: str) -> None:
    """Write the names of the axes."""
    axes.set_xlabel(x, color=palette.text)
    axes.set_ylabel(y, color=palette.text)


def scale_x(axes: Axes, values: Sequence[float]) -> None:
    """Write numbers as 20k or 1M; use a log scale if they span a factor of 20."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, NullFormatter

    if min(values) > 0 and max(values) / min(values) >= WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    large = EngFormatter(sep="")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: large(value) if value >= 1000 else f"{value:g}"))


def legend(figure: Figure, palette: Palette, columns: int) -> None:
    """Draw the legend below the axes, where it hides nothing."""
    figure.legend(
        loc="lower center", ncols=columns, frameon=False, labelcolor=palette.text, fontsize=8, labelspacing=0.3,
        borderaxespad=0.2, handlelength=2.6,
    )  # fmt: skip


@contextmanager
def settings() -> Iterator[None]:
    """Apply the settings of matplotlib within a block that draws or saves."""
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a browser has the fonts
        yield


def as_svg(draw: Callable[[Palette], Figure], name: str) -> str:
    """Return a figure as an SVG element for a page; ids begin with `name`, which is unique in the page."""
    with settings():
        buffer = io.StringIO()
        draw(PAGE).savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(buffer.getvalue(), name)


def save(draw: Callable[[Palette], Figure], folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG, SVG and PDF, and return the paths.

    Raises:
        OSError: if one of them cannot be written.
    """
    paths = [folder / f"{name}.{kind}" for kind in FILE_TYPES]
    with settings():
        figure = draw(PRINT)
        for path in paths:
            figure.savefig(path, transparent=False, facecolor="white", metadata=_METADATA[path.suffix])
    return paths


_METADATA: dict[str, dict[str, None]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
"""Without the time, so that equal figures are equal files."""
_PREAMBLE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA_ELEMENT = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_STYLE_ELEMENT = re.compile(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^")]+)')
_ID = re.compile(r' id="([^"]+)"')
_SIZE = re.compile(r'<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>')
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"(?<=\d)(\.\d{2})\d+")
_FONT = re.compile(r" ?font-family: [^;\"]*;?")


def _for_page(svg: str, name: str) -> str:
    """Return the SVG without what a page does not need: header, metadata, unused ids, digits, fonts, sizes."""
    svg = _STYLE_ELEMENT.sub("", _METADATA_ELEMENT.sub("", _PREAMBLE.sub("", svg)))
    used = set(_REFERENCE.findall(svg))
    svg = _ID.sub(lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", svg)
    svg = _REFERENCE.sub(lambda match: match[0].replace(f"#{match[1]}", f"#{name}-{match[1]}"), svg)
    svg = _TAG.sub(lambda tag: _LONG_NUMBER.sub(r"\1", tag[0]), svg)  # not in texts between the tags
    svg = _FONT.sub("", svg).replace("xlink:href", "href")
    for colour, value in PROPERTIES.items():
        svg = svg.replace(colour, value)
    svg = re.sub(r"\n\s*", "\n", svg)
    width, height = _SIZE.search(svg).groups()  # type: ignore[union-attr]  # matplotlib writes it
    sizes = f"max-width: {float(width) * 1.5:.0f}px; min-width: {min(float(width) - 70, 2 * float(width) - 400):.0f}px"
    return _SIZE.sub(f'<svg viewBox="0 0 {width} {height}" style="{sizes}">', svg)
