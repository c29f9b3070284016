"""Corpora: the rows of a source, cleaned, cut into splits, counted and saved for later runs.

A corpus is a folder of the cache: `corpus.json` describes it, and each split has its texts in one flat file.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from mhc.data import cleaning, fingerprint, folds, label_forms, labels, splits
from mhc.data.cache import Ints, ensure_folder, make_private, map_flat, private_folder, read_ints, write_ints
from mhc.data.cleaning import Rows
from mhc.data.options import Cleaning, Splitting
from mhc.data.quality import notes, placeholders
from mhc.data.sources import Raw, Source
from mhc.errors import BadInput
from mhc.facts import FoldFacts, SplitFacts

log = logging.getLogger("mhc")

VERSION = 4
"""Version of the layout on disk and of the cleaning rules; a new version invalidates older folders of the cache."""


class CorpusInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `corpus.json`."""

    labels: list[str]
    splits: dict[str, SplitFacts]
    origin: str
    cut: dict[str, str]
    cleaning: dict[str, int]
    train_fraction: float
    folds: FoldFacts | None = None
    notes: list[str] = []
    """What was found in the files and is not as usual."""
    repairs: dict[str, int] = {}
    """Texts that were mended, by kind and split."""


class Corpus:
    """A corpus on disk; opening it reads one small file and memory-maps the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = msgspec.json.decode((folder / "corpus.json").read_bytes(), type=CorpusInfo)
        self.splits = list(self.about.splits)

    def texts(self, split: str) -> Iterator[str]:
        """Yield the normalised texts in the order of the rows."""
        flat = map_flat(self.folder / f"{split}.texts", np.uint8)
        start = 0
        for end in read_ints(self.folder / f"{split}.ends.npy").tolist():
            yield flat[start:end].tobytes().decode()
            start = end

    def label_ids(self, split: str) -> Ints:
        """Return [rows]: the position of each row's label in the label names."""
        return read_ints(self.folder / f"{split}.labels.npy")

    def authors(self, split: str) -> Ints | None:
        """Return [rows]: a number per author, -1 if unknown; None if the data has no column of authors."""
        path = self.folder / f"{split}.authors.npy"
        return read_ints(path) if path.exists() else None


def ensure(
    source: Source, cleaning: Cleaning, splitting: Splitting, names: Mapping[str, str], near: float | None, cache: Path
) -> Corpus:
    """Return the corpus; build it unless an earlier run did.

    Args:
        source: where the rows come from.
        cleaning: which rows are dropped.
        splitting: how missing splits are cut.
        names: names of label values, in the order of the model's outputs; empty: the values are the names.
        near: share of common word pairs from which a text counts as a near copy; None: near copies are not counted.
        cache: folder of all caches.

    Raises:
        BadInput: if the data cannot be used; the message gives the place and the remedy.
    """
    options = [msgspec.to_builtins(cleaning), msgspec.to_builtins(splitting), list(names.items()), near]
    content = source.key()
    key = fingerprint.of_values([VERSION, content, options])

    def fill(draft: Path) -> None:
        info, rows = prepare(read(source, content, cache / "datasets"), cleaning, splitting, names, near)
        for name, part in rows.items():
            write_rows(part, info.labels, name, draft)
        (draft / "corpus.json").write_bytes(msgspec.json.encode(info))

    corpus = Corpus(ensure_folder(cache / "corpora" / key, fill))
    for note in corpus.about.notes:
        log.warning(note)
    return corpus


def read(source: Source, content: dict[str, object], cache: Path) -> Raw:
    """Return the rows of a source, if it has the same content before and after they are read.

    Raises:
        BadInput: if the data cannot be used, or has changed.
    """
    private_folder(cache)
    raw = source.read(cache)
    make_private(cache)
    if source.key() != content:
        raise BadInput(f"{raw.origin} changed while it was read. Start again when nothing writes to it any more")
    return raw


def prepare(
    raw: Raw, options: Cleaning, splitting: Splitting, names: Mapping[str, str], near: float | None
) -> tuple[CorpusInfo, dict[str, Rows]]:
    """Check, clean, cut and count the rows. Pure."""
    names = label_forms.named(names)
    labelled, missing, merged = label_forms.unified(raw.splits, options, names, raw.origin)
    repairs: Counter[str] = Counter()
    raw_splits = {name: checked(rows, raw, names, name, options, repairs) for name, rows in labelled.items()}
    defects = notes_of(raw_splits, repairs, options)
    rows, dropped = cleaning.clean(raw_splits, options)
    dropped.update(missing)
    rows["train"] = labels.drop_or_refuse_rare(rows["train"], options, dropped)
    rows, how, cross_validation = cut(rows, splitting)
    rows = labels.drop_or_refuse_unknown(rows, options, dropped)
    rows["train"], fraction = splits.take_share(rows["train"], splitting)
    order = labels.order(rows["train"], names or dict(zip(raw.names, raw.names, strict=True)))
    facts = {name: split_facts(name, rows, order, near) for name in rows}
    small = notes.of_small_classes(facts, how, splitting)
    info = CorpusInfo(
        labels=order,
        splits=facts,
        origin=raw.origin,
        cut=how,
        cleaning={reason: count for reason, count in dropped.items() if count},
        train_fraction=fraction,
        folds=cross_validation,
        notes=[*raw.notes, *merged, *defects, *([small] if small else [])],
        repairs={kind: count for kind, count in repairs.items() if count},
    )
    return info, rows


def cut(rows: dict[str, Rows], splitting: Splitting) -> tuple[dict[str, Rows], dict[str, str], FoldFacts | None]:
    """Return all splits, the origin of each, and the folds if there are any."""
    if splitting.folds is not None:
        return folds.cut(rows, splitting)
    return *splits.cut_missing(rows, splitting), None


def notes_of(splits: Mapping[str, Rows], repairs: Counter[str], options: Cleaning) -> list[str]:
    """Return what is wrong with the texts and authors before rows are dropped."""
    result = list(notes.of_repairs(+repairs))
    for name, rows in splits.items():
        result.append(
            notes.of_placeholders(name, sum(map(placeholders.is_placeholder, rows.texts)), len(rows), options)
        )
        result.append(notes.of_repeats(name, cleaning.keys(rows), options))
    return [note for note in [*result, notes.of_authors(splits)] if note]


def checked(
    rows: Rows, raw: Raw, names: Mapping[str, str], split: str, options: Cleaning, repairs: Counter[str]
) -> Rows:
    """Return the rows with mended, normalised and masked texts, named labels and known authors.

    Raises:
        BadInput: if the labels cannot be used.
    """
    where = f"{raw.origin} ({split})"
    result = labels.with_names(rows, names, where)
    if not names and not raw.names:
        labels.refuse_numbers(result.labels, where)
        labels.refuse_texts(result.labels, where)
    mended = cleaning.mended(result, split, repairs) if options.repair else result
    return cleaning.normalised(cleaning.with_known_authors(mended), mask=options.mask)


def split_facts(name: str, rows: dict[str, Rows], order: Sequence[str], near: float | None) -> SplitFacts:
    """Count and fingerprint one split; for val and test also count its overlap with train."""
    part, train = rows[name], rows["train"]
    counts = Counter(part.labels)
    copies = shared = None
    if near is not None and name != "train":
        from mhc.data import leakage  # its library takes half a second to import

        copies = len(leakage.near_duplicates(train.texts, part.texts, near))
    if name != "train" and part.groups is not None and train.groups is not None:
        shared = shared_groups(train.groups, part.groups)
    return SplitFacts(
        rows=len(part),
        fingerprint=fingerprint.of_rows(part),
        labels={label: counts[label] for label in order},
        placeholders=sum(map(placeholders.is_placeholder, part.texts)),
        most_repeated=notes.most_repeated(cleaning.keys(part)) if name != "train" else None,
        near_duplicates=copies,
        shared_groups=shared,
    )


def shared_groups(train: Sequence[str | None], other: Sequence[str | None]) -> int:
    """Return how many groups (authors) occur in both splits; each argument has one entry per row, None if unknown."""
    return len((set(train) & set(other)) - {None})


def write_rows(rows: Rows, order: Sequence[str], name: str, draft: Path) -> None:
    """Write the texts of a split as one flat file, the end of each text, the labels, and the authors if known."""
    position = {label: number for number, label in enumerate(order)}
    ends = np.zeros(len(rows), np.int64)
    end = 0
    with (draft / f"{name}.texts").open("wb") as file:
        for row, text in enumerate(rows.texts):
            end += file.write(text.encode())
            ends[row] = end
    write_ints(draft / f"{name}.ends.npy", ends, np.int64)
    write_ints(draft / f"{name}.labels.npy", [position[label] for label in rows.labels], np.int32)
    if rows.groups is not None:
        numbers = {group: number for number, group in enumerate(dict.fromkeys(filter(None, rows.groups)))}
        write_ints(draft / f"{name}.authors.npy", [numbers[group] if group else -1 for group in rows.groups], np.int64)
