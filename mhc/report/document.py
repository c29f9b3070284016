"""A report as values: a title and sections of paragraphs, tables, matrices and figures. Pure.

`mhc.report.sections` creates the sections, `mhc.report.formats` writes them as HTML, Markdown, LaTeX or pictures.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from mhc.report.tables import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from mhc.report.figures.canvas import Palette


MAX_NAME = 60
"""Characters of a part of the name of a file."""


class Column(NamedTuple):
    """One column of a grid."""

    title: str
    number: bool = False
    """Whether its cells are numbers, which are aligned right."""


Cells = Sequence[str | Cell]


class Paragraph(msgspec.Struct, frozen=True, kw_only=True):
    """A text; `important` marks a notice."""

    kind: ClassVar[str] = "paragraph"
    text: str
    important: bool = False


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A table with a caption. The first cell of a row names the row."""

    kind: ClassVar[str] = "grid"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Cells]
    main: bool = False
    """Whether it is one of those that a paper or a pull request shows."""


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """A confusion matrix: true classes in rows, predicted ones in columns."""

    kind: ClassVar[str] = "matrix"
    caption: str
    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    draw: Callable[[Palette], Drawing]
    name: str

    def share(self, row: int, column: int) -> float:
        """Return a cell as a share of its true class."""
        total = sum(self.counts[row])
        return self.counts[row][column] / total if total else 0.0


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing with its text alternative and its numbers."""

    kind: ClassVar[str] = "figure"
    name: str
    """Of its file, see `file_name`; unique in the report."""
    caption: str
    text: str
    """What it shows, for those who do not see it."""
    draw: Callable[[Palette], Drawing]
    numbers: Grid | None = None
    wide: bool = False


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A titled part of a section, such as one run or one data set."""

    kind: ClassVar[str] = "part"
    title: str
    blocks: Sequence[Paragraph | Grid | Matrix | Figure]


Block = Paragraph | Grid | Matrix | Figure | Part


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A section with a heading."""

    title: str
    blocks: Sequence[Block]

    @property
    def name(self) -> str:
        """Its title as the target of a link."""
        return slug(self.title)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole report."""

    title: str
    summary: str
    made: str
    notices: Sequence[str] = ()
    """What a reader must know first."""
    sections: Sequence[Section]

    def flat(self) -> list[tuple[Section, Block]]:
        """Return all blocks, those within parts included, each with its section."""
        return [
            (section, inner)
            for section in self.sections
            for block in section.blocks
            for inner in (block.blocks if isinstance(block, Part) else [block])
        ]


def slug(text: str) -> str:
    """Return a text as the target of a link: small letters, digits, hyphens and underscores."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")


def file_name(text: str) -> str:
    """Return a text as a part of the name of a file, another one for each text: with a checksum if it is changed."""
    name = slug(text)[:MAX_NAME]
    return name if name == text else f"{name}-{hashlib.blake2b(text.encode(), digest_size=3).hexdigest()}"
