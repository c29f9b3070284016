"""Find the separator of a file of separated values. Pure."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

from mhc.data.tables.columns import position
from mhc.data.tables.options import SEPARATORS

DEFAULTS = {".tsv": "\t"}
"""Separator by the suffix of the file; a comma for all others."""

PROSE = re.compile(r"[^\s\d]([,;|]) ")
"""Punctuation as it is in sentences: with a blank after it."""


def default(suffix: str) -> str:
    """Return the separator that files with this suffix have by convention."""
    return DEFAULTS.get(suffix, ",")


def separator_of(lines: Sequence[str], suffix: str, names: Sequence[str]) -> str:
    """Return the separator of a file that begins with `lines`: the one that gives most rows the columns of the first.

    A separator by which the first line has the columns `names` is preferred, then the default of the suffix.
    """
    usual = default(suffix)
    candidates = [usual, *(one for one in SEPARATORS if one != usual)]
    scores = {one: score(lines, one, names) for one in candidates}
    best = max(candidates, key=lambda one: scores[one])  # of equal scores, the first
    return best if scores[best][1] > 0 else usual


def score(lines: Sequence[str], separator: str, names: Sequence[str]) -> tuple[int, float, float]:
    """Return how well a separator fits: names that it finds, share of rows of one width, share that is no prose."""
    rows = [row for row in csv.reader(lines, delimiter=separator) if row]
    if not rows or len(rows[0]) < 2:
        return 0, 0.0, 0.0
    header = [name.strip() for name in rows[0]]
    known = sum(position(header, name) is not None for name in names)
    widths = Counter(len(row) for row in rows[:-1] or rows)  # the last one may be cut off
    text = "".join(lines)
    prose = sum(match[1] == separator for match in PROSE.finditer(text))
    return known, round(widths[len(rows[0])] / max(1, widths.total()), 2), 1 - prose / max(1, text.count(separator))
