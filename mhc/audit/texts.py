"""Find and count what is wrong with the texts, labels and authors of splits. Pure; findings have no texts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mhc.audit.findings import Finding, Lengths, SplitFacts
from mhc.audit.tables import Part
from mhc.data import label_forms
from mhc.data.cleaning import Rows, keys, mended, normalised, with_known_authors
from mhc.data.corpus import shared_groups
from mhc.data.labels import LONGEST_NAME
from mhc.data.quality import notes
from mhc.data.quality.placeholders import is_placeholder
from mhc.data.quality.words import word_count
from mhc.terminal import quantity

MOST_SINGLE = 5
"""Values of a column of labels that may have a row each."""

SHOWN_ROWS = 5
"""Numbers of rows that a finding has."""


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """Mended and normalised rows of a split, and their keys: equal keys are the same text."""

    part: Part
    rows: Rows
    keys: list[str]

    def numbers(self, rows: Sequence[int]) -> str:
        """Return the numbers of the first of these rows in their file."""
        shown = ", ".join(str(self.part.numbers[row]) for row in rows[:SHOWN_ROWS])
        return f"row{'s' * (len(rows) > 1)} {shown}{', ...' * (len(rows) > SHOWN_ROWS)}"


def cleaned(part: Part, split: str, repairs: Counter[str]) -> Cleaned:
    """Return the rows as a training cleans them, without masking; `repairs` counts what was mended."""
    rows = normalised(with_known_authors(mended(part.rows, split, repairs)))
    return Cleaned(part=part, rows=rows, keys=keys(rows))


def facts_of(split: Cleaned) -> SplitFacts:
    """Return the counts of a split."""
    groups, labels = split.rows.groups, Counter(split.rows.labels)
    return SplitFacts(
        rows=len(split.rows),
        classes=len(labels),
        labels={} if are_texts(labels) else shown_labels(labels),
        words=lengths([word_count(text) for text in split.rows.texts]),
        authors=None if groups is None else len({group for group in groups if group is not None}),
    )


def are_texts(labels: Counter[str]) -> bool:
    """Return whether labels are texts or ids of rows: most rows have a value of their own."""
    return len(labels) > MOST_SINGLE and len(labels) > labels.total() / 2


def shown_labels(labels: Counter[str]) -> dict[str, int]:
    """Return the rows by label, the most frequent first; of a long label, only its length."""
    result: Counter[str] = Counter()
    for label, rows in labels.items():
        result[label if len(label) <= LONGEST_NAME else label_forms.visible(label)] += rows
    return dict(result.most_common())


def lengths(values: Sequence[int]) -> Lengths:
    """Return the summary of lengths."""
    if not len(values):
        return Lengths(median=0, p95=0, longest=0)
    median, p95 = np.percentile(np.asarray(values), [50, 95])
    return Lengths(median=round(float(median)), p95=round(float(p95)), longest=int(max(values)))


def findings_of(splits: Mapping[str, Cleaned], repairs: Counter[str]) -> Iterator[Finding]:
    """Yield what is wrong, split by split, then what is wrong between splits."""
    for name, split in splits.items():
        yield from of_labels(name, split)
        yield from of_missing_texts(name, split)
        yield from of_repeats(name, split)
        yield from of_conflicts(name, split)
        yield from of_repairs(name, repairs)
        yield from of_unknown_authors(name, split)
    yield from of_variants(splits)
    for name, split in splits.items():
        if name != "train":
            yield from of_overlap(name, split, splits["train"])
    sentence = notes.of_authors({name: split.rows for name, split in splits.items()})
    if sentence:
        yield Finding(what="authors_tell_labels", count=1, sentence=sentence)


def of_labels(name: str, split: Cleaned) -> Iterator[Finding]:
    """Yield rows without a label."""
    rows = [row for row, label in enumerate(split.rows.labels) if label.strip() in label_forms.MISSING]
    if rows:
        yield Finding(
            what="missing_labels",
            split=name,
            count=len(rows),
            sentence=f"{name}: {quantity(len(rows), 'row')} without a label ({split.numbers(rows)})",
            remedy="data.cleaning.missing_labels=drop",
        )


def of_missing_texts(name: str, split: Cleaned) -> Iterator[Finding]:
    """Yield empty texts and placeholders."""
    empty = [row for row, text in enumerate(split.rows.texts) if not text]
    if empty:
        sentence = f"{name}: {quantity(len(empty), 'empty text')} ({split.numbers(empty)}), left out"
        yield Finding(what="empty_texts", split=name, count=len(empty), sentence=sentence)
    rows = [row for row, text in enumerate(split.rows.texts) if is_placeholder(text)]
    if rows:
        share = len(rows) / len(split.rows)
        yield Finding(
            what="placeholders",
            split=name,
            count=len(rows),
            sentence=f"{name}: {len(rows):,} of {len(split.rows):,} texts ({share:.0%}) are placeholders such as "
            f"[removed], nan or #NAME? ({split.numbers(rows)})",
            remedy="data.cleaning.placeholders=drop",
        )


def of_repeats(name: str, split: Cleaned) -> Iterator[Finding]:
    """Yield duplicates, and one text that makes up a share of the rows."""
    filled = [key for key in split.keys if key]
    duplicates, most = len(filled) - len(set(filled)), notes.most_repeated(filled)
    if duplicates:
        drop = "left out of train" if name == "train" else "kept"
        yield Finding(
            what="duplicates",
            split=name,
            count=duplicates,
            sentence=f"{name}: {quantity(duplicates, 'row')} with the text of an earlier row, {drop}",
            remedy="" if name == "train" else "data.cleaning.repeats=drop",
        )
    if notes.is_share(most, len(filled)):
        share = most / len(filled)
        sentence = f"{name}: one text makes up {share:.0%} of the rows ({most:,} of {len(filled):,})"
        remedy = "" if name == "train" else "data.cleaning.repeats=drop"
        yield Finding(what="repeats", split=name, count=most, sentence=sentence, remedy=remedy)


def of_conflicts(name: str, split: Cleaned) -> Iterator[Finding]:
    """Yield texts that have several labels."""
    labels: dict[str, set[str]] = defaultdict(set)
    for key, label in zip(split.keys, split.rows.labels, strict=True):
        if key:
            labels[key].add(label)
    conflicting = {key for key, values in labels.items() if len(values) > 1}
    if conflicting:
        rows = [row for row, key in enumerate(split.keys) if key in conflicting]
        yield Finding(
            what="conflicts",
            split=name,
            count=len(conflicting),
            sentence=f"{name}: {quantity(len(conflicting), 'text')} with several labels ({split.numbers(rows)})"
            + (", all of their rows left out" if name == "train" else ""),
            remedy="data.cleaning.conflicting=keep" if name == "train" else "",
        )


def of_repairs(name: str, repairs: Counter[str]) -> Iterator[Finding]:
    """Yield texts with markup and mojibake."""
    for kind in ("markup", "mojibake"):
        count = repairs[f"{kind}_in_{name}"]
        if count:
            yield Finding(
                what=kind,
                split=name,
                count=count,
                sentence=next(notes.of_repairs({f"{kind}_in_{name}": count})),
                remedy="",
            )


def of_unknown_authors(name: str, split: Cleaned) -> Iterator[Finding]:
    """Yield rows whose author is none."""
    before, after = split.part.rows.groups, split.rows.groups
    if before is None or after is None:
        return
    count = sum(old is not None and new is None for old, new in zip(before, after, strict=True))
    if count:
        sentence = (
            f"{name}: {count:,} of {len(after):,} rows without an author, such as [deleted]; they are split one by one"
        )
        yield Finding(what="no_author", split=name, count=count, sentence=sentence)


def of_variants(splits: Mapping[str, Cleaned]) -> Iterator[Finding]:
    """Yield labels that differ only in how they are written."""
    counts: Counter[str] = Counter()
    for split in splits.values():
        counts.update(label.strip() for label in split.rows.labels)
    forms = label_forms.forms_of(counts, {})
    merged: Counter[str] = Counter()
    for label, form in forms.items():
        merged[form] += counts[label]
    groups = label_forms.variants(form for form in merged if form)
    if groups and not are_texts(merged):
        yield Finding(
            what="label_variants",
            count=sum(map(len, groups)),
            sentence=label_forms.explanation(groups, merged).partition(". Merge them")[0],
            remedy="data.cleaning.merge_labels=case",
        )


def of_overlap(name: str, split: Cleaned, train: Cleaned) -> Iterator[Finding]:
    """Yield texts and authors that are on both sides."""
    known = {key for key in train.keys if key}
    rows = [row for row, key in enumerate(split.keys) if key in known]
    if rows:
        yield Finding(
            what="in_train",
            split=name,
            count=len(rows),
            sentence=f"{name}: {len(rows):,} of {quantity(len(split.rows), 'text')} also in train "
            f"({split.numbers(rows)}); left out of train",
        )
    if split.rows.groups is not None and train.rows.groups is not None:
        shared = shared_groups(train.rows.groups, split.rows.groups)
        if shared:
            sentence = f"{name}: {quantity(shared, 'author')} also in train; the gate no_leakage refuses that"
            yield Finding(what="authors_in_train", split=name, count=shared, sentence=sentence)
