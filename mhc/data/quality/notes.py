"""Say in sentences what is wrong with texts, authors and classes: for the log, the record and the closing page. Pure.

No sentence has a text of a row.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mhc.data.cleaning import Rows
from mhc.data.labels import preview
from mhc.data.options import Cleaning, Splitting
from mhc.facts import SplitFacts
from mhc.terminal import quantity

SHARE = 0.02
"""Repetitions of one text, or placeholders, are named from this share of the rows of a split, and if there are 3."""

FEW = 3
MOST_CLASSES = 5
"""Small classes that a sentence names."""


def of_repairs(repairs: Mapping[str, int]) -> Iterator[str]:
    """Yield what was mended in each split."""
    names = {"markup": "HTML entities or tags", "mojibake": "letters of a wrong encoding (mojibake)"}
    for key, count in repairs.items():
        kind, _, split = key.partition("_in_")
        yield f"{split}: {quantity(count, 'text')} with {names[kind]} mended (data.cleaning.repair)"


def of_placeholders(split: str, count: int, rows: int, options: Cleaning) -> str:
    """Return what placeholders a split has; empty if there are few."""
    if not is_share(count, rows):
        return ""
    done = "left out" if options.placeholders == "drop" else "kept; leave them out with data.cleaning.placeholders=drop"
    kinds = "placeholders such as [removed], nan and #NAME?"
    return f"{split}: {count:,} of {rows:,} texts ({count / rows:.0%}) are {kinds}: {done}"


def of_repeats(split: str, texts: Sequence[str], options: Cleaning) -> str:
    """Return how often the most frequent text of a split occurs; empty if that is rarely."""
    count, rows = most_repeated(texts), len(texts)
    if not is_share(count, rows):
        return ""
    if split == "train":
        done = "it is used once per label, or not at all if it has several labels (data.cleaning.conflicting)"
    else:
        done = "kept; use it once with data.cleaning.repeats=drop" if options.repeats == "keep" else "it is used once"
    return f"{split}: one text makes up {count / rows:.0%} of the rows ({count:,} of {rows:,}); {done}"


def is_share(count: int, rows: int) -> bool:
    """Return whether so many rows matter."""
    return count >= FEW and count >= SHARE * rows


def most_repeated(texts: Sequence[str]) -> int:
    """Return the rows of the most frequent text; 0 if there are no texts. Empty texts do not count."""
    counts = Counter(texts)
    counts.pop("", None)
    return max(counts.values(), default=0)


def of_authors(splits: Mapping[str, Rows]) -> str:
    """Return that labels can be told from authors, if every author of several texts has one label; else empty."""
    several = authors_of_one_label(splits.values())
    if several < FEW:
        return ""
    return (
        f"the label can be told from the author: each of the {several:,} authors of several texts has one label. "
        "A model may learn how they write; compare it on authors that are in no other split (data.group keeps them "
        "apart)"
    )


def authors_of_one_label(splits: Iterable[Rows]) -> int:
    """Return the number of authors of several texts; 0 if one of them has texts of several labels."""
    labels: dict[str, str] = {}
    several: set[str] = set()
    for rows in splits:
        for author, label in zip(rows.groups or (), rows.labels, strict=False):
            if author is None:
                continue
            if author in labels:
                several.add(author)
            if labels.setdefault(author, label) != label:
                return 0
    return len(several)


def of_small_classes(splits: Mapping[str, SplitFacts], cut: Mapping[str, str], options: Splitting) -> str:
    """Return which classes have no row in some split; empty if there are none."""
    missing = {
        name: sorted(label for label, rows in facts.labels.items() if not rows) for name, facts in splits.items()
    }
    missing = {name: labels for name, labels in missing.items() if labels}
    if not missing:
        return ""
    small = sorted({label for labels in missing.values() for label in labels})
    totals = {label: sum(facts.labels.get(label, 0) for facts in splits.values()) for label in small}
    shown = ", ".join(f"{preview([label])} ({totals[label]:,})" for label in small[:MOST_CLASSES])
    more = f" and {len(small) - MOST_CLASSES} more" if len(small) > MOST_CLASSES else ""
    shares = [share for name, share in (("val", options.val), ("test", options.test)) if share and name in missing]
    was_cut = any(cut.get(name, "given") != "given" for name in missing)
    need = f"; at least {math.ceil(0.5 / min(shares)) + 1} rows of a class are needed" if was_cut and shares else ""
    return (
        f"too few rows of {shown}{more} for a row in {' and '.join(missing)}, where nothing can be measured of "
        f"them{need}. Add rows, merge classes (data.cleaning.merge_labels={{A: B}}), or leave them out with "
        "data.cleaning.rare_labels=drop data.cleaning.min_rows_per_label=N"
    )
