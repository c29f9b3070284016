"""Normalise and mask texts; drop rows: empty texts, duplicates in train, texts of train that val or test has. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mhc.data import masking
from mhc.data.options import Cleaning
from mhc.data.quality.placeholders import author_of, is_placeholder
from mhc.data.quality.repair import is_plain, repaired

INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
"""Control characters, byte order marks, zero-width and direction marks; the joiners of emoji and scripts are kept."""

SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of a character, left by broken JSON escapes; they cannot be written as UTF-8."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one split, column by column."""

    texts: list[str]
    labels: list[str]
    groups: list[str | None] | None = None
    """Author of each text; None if there is no such column."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Rows:
        """Return the rows at these positions, in this order."""
        groups = None if self.groups is None else [self.groups[row] for row in rows]
        return Rows(texts=[self.texts[row] for row in rows], labels=[self.labels[row] for row in rows], groups=groups)

    def filter(self, condition: Callable[[int], bool]) -> Rows:
        """Return the rows whose position meets the condition."""
        rows = [row for row in range(len(self)) if condition(row)]
        return self if len(rows) == len(self) else self.take(rows)


def normalise(text: str) -> str:
    """Return the text in NFC, without control characters, with each run of white space replaced by one space."""
    if text.isascii():
        return " ".join(INVISIBLE.sub("", text).split())
    valid = SURROGATES.sub("\ufffd", text)
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFC", valid)).split())


def clean_text(text: str, *, repair: bool) -> str:
    """Return a text as the model is given it, before masking: mended if `repair`, and normalised."""
    return normalise(repaired(text).text if repair else text)


def normalised(rows: Rows, *, mask: bool = False) -> Rows:
    """Return the rows with normalised texts; with marks in place of what identifies a person if `mask`."""
    texts = map(normalise, rows.texts)
    return Rows(texts=list(map(masking.mask, texts) if mask else texts), labels=rows.labels, groups=rows.groups)


def mended(rows: Rows, split: str, repairs: Counter[str]) -> Rows:
    """Return the rows with mended texts, which must not be normalised yet; `repairs` counts them by kind and split."""
    results = {row: repaired(text) for row, text in enumerate(rows.texts) if not is_plain(text)}
    repairs[f"markup_in_{split}"] += sum(result.markup for result in results.values())
    repairs[f"mojibake_in_{split}"] += sum(result.mojibake for result in results.values())
    texts = list(rows.texts)
    for row, result in results.items():
        texts[row] = result.text
    return Rows(texts=texts, labels=rows.labels, groups=rows.groups)


def with_known_authors(rows: Rows) -> Rows:
    """Return the rows without authors such as [deleted], who are many."""
    if rows.groups is None:
        return rows
    return Rows(texts=rows.texts, labels=rows.labels, groups=[author_of(group) for group in rows.groups])


def clean(splits: dict[str, Rows], options: Cleaning) -> tuple[dict[str, Rows], Counter[str]]:
    """Return the cleaned splits, and the number of dropped rows by reason. Texts must be normalised.

    Duplicates are dropped from train only, unless `repeats` is drop. A text of val or test that is also in train is
    dropped from train, never from the others. Texts that differ only in case are the same text.
    """
    dropped: Counter[str] = Counter()
    result = {name: without_empty(rows, dropped) for name, rows in splits.items()}
    if options.placeholders == "drop":
        result = {name: without_placeholders(rows, name, dropped) for name, rows in result.items()}
    if options.repeats == "drop":
        result |= {name: without_repeats(result[name], name, dropped) for name in ("val", "test") if name in result}
    train = without_duplicates(result["train"], dropped)
    if options.conflicting == "drop":
        train = without_conflicts(train, dropped)
    for name in ("val", "test"):
        if name in result:
            train = without_texts_of(train, result[name], f"train_texts_in_{name}", dropped)
    return {**result, "train": train}, dropped


def without_empty(rows: Rows, dropped: Counter[str]) -> Rows:
    """Drop rows without a text."""
    result = rows.filter(lambda row: bool(rows.texts[row]))
    dropped["empty_texts"] += len(rows) - len(result)
    return result


def without_placeholders(rows: Rows, split: str, dropped: Counter[str]) -> Rows:
    """Drop rows whose text stands for one that is missing."""
    result = rows.filter(lambda row: not is_placeholder(rows.texts[row]))
    dropped[f"placeholders_in_{split}"] += len(rows) - len(result)
    return result


def without_duplicates(train: Rows, dropped: Counter[str]) -> Rows:
    """Keep the first row of each (text, label) of train."""
    result = first_rows(train)
    dropped["duplicates_in_train"] += len(train) - len(result)
    return result


def without_repeats(rows: Rows, split: str, dropped: Counter[str]) -> Rows:
    """Keep the first row of each (text, label) of another split."""
    result = first_rows(rows)
    dropped[f"repeats_in_{split}"] += len(rows) - len(result)
    return result


def first_rows(rows: Rows) -> Rows:
    """Return the first row of each (text, label)."""
    pairs = enumerate(zip(keys(rows), rows.labels, strict=True))
    first = {pair: row for row, pair in reversed(list(pairs))}
    return rows if len(first) == len(rows) else rows.take(sorted(first.values()))


def without_conflicts(train: Rows, dropped: Counter[str]) -> Rows:
    """Drop every row whose text has another label elsewhere; duplicates must have been dropped before."""
    texts = keys(train)
    counts = Counter(texts)
    result = train.filter(lambda row: counts[texts[row]] == 1)
    dropped["conflicting_in_train"] += len(train) - len(result)
    return result


def without_texts_of(train: Rows, other: Rows, reason: str, dropped: Counter[str]) -> Rows:
    """Drop the rows of train whose text is also in `other`."""
    texts, other_texts = keys(train), set(keys(other))
    result = train.filter(lambda row: texts[row] not in other_texts)
    dropped[reason] += len(train) - len(result)
    return result


def keys(rows: Rows) -> list[str]:
    """Return the case-folded texts: two texts with the same key are the same text."""
    return [text.casefold() for text in rows.texts]
