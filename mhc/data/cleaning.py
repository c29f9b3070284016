"""Which rows stay: normalised texts, no empty ones, no copies in train, nothing in train that val or test has. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mhc.data.options import Cleaning

INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
"""Control characters, byte order marks, zero-width and direction marks; the joiners of emoji and scripts stay."""

SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of a character, left by broken JSON escapes; they cannot be written as UTF-8."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one split, column by column."""

    texts: list[str]
    labels: list[str]
    groups: list[str | None] | None = None
    """Author of each text; None where there is no such column."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.texts)

    def take(self, keep: Sequence[int]) -> Rows:
        """Return the rows at these positions, in this order."""
        groups = None if self.groups is None else [self.groups[row] for row in keep]
        return Rows(texts=[self.texts[row] for row in keep], labels=[self.labels[row] for row in keep], groups=groups)

    def where(self, wanted: Callable[[int], bool]) -> Rows:
        """Return the rows whose position is wanted."""
        keep = [row for row in range(len(self)) if wanted(row)]
        return self if len(keep) == len(self) else self.take(keep)


def normalise(text: str) -> str:
    """Return the text in NFC, without control characters, every run of white space as one blank."""
    if text.isascii():
        return " ".join(INVISIBLE.sub("", text).split())
    whole = SURROGATES.sub("\ufffd", text)
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFC", whole)).split())


def normalised(rows: Rows) -> Rows:
    """Return the rows with normalised texts."""
    return Rows(texts=[normalise(text) for text in rows.texts], labels=rows.labels, groups=rows.groups)


def clean(splits: dict[str, Rows], options: Cleaning) -> tuple[dict[str, Rows], Counter[str]]:
    """Return the cleaned splits, and the number of rows dropped by reason. Texts must be normalised.

    Copies are dropped from train only. A text of val or test that is also in train leaves train, never the others.
    Texts that differ in capital letters only are the same text.
    """
    dropped: Counter[str] = Counter()
    kept = {name: without_empty(rows, dropped) for name, rows in splits.items()}
    train = without_duplicates(kept["train"], dropped)
    if options.conflicting == "drop":
        train = without_conflicts(train, dropped)
    for name in ("val", "test"):
        if name in kept:
            train = without_texts_of(train, kept[name], f"train_texts_in_{name}", dropped)
    return {**kept, "train": train}, dropped


def without_empty(rows: Rows, dropped: Counter[str]) -> Rows:
    """Drop rows without a text."""
    kept = rows.where(lambda row: bool(rows.texts[row]))
    dropped["empty_texts"] += len(rows) - len(kept)
    return kept


def without_duplicates(train: Rows, dropped: Counter[str]) -> Rows:
    """Keep the first row of each (text, label)."""
    pairs = enumerate(zip(keys(train), train.labels, strict=True))
    first = {pair: row for row, pair in reversed(list(pairs))}
    keep = sorted(first.values())
    dropped["duplicates_in_train"] += len(train) - len(keep)
    return train if len(keep) == len(train) else train.take(keep)


def without_conflicts(train: Rows, dropped: Counter[str]) -> Rows:
    """Drop every row whose text has another label elsewhere; duplicates must be gone."""
    texts = keys(train)
    times = Counter(texts)
    kept = train.where(lambda row: times[texts[row]] == 1)
    dropped["conflicting_in_train"] += len(train) - len(kept)
    return kept


def without_texts_of(train: Rows, other: Rows, reason: str, dropped: Counter[str]) -> Rows:
    """Drop the rows of train whose text stands in `other`."""
    texts, taken = keys(train), set(keys(other))
    kept = train.where(lambda row: texts[row] not in taken)
    dropped[reason] += len(train) - len(kept)
    return kept


def keys(rows: Rows) -> list[str]:
    """Return what makes two texts the same: their letters, whether capital or not."""
    return [text.casefold() for text in rows.texts]
