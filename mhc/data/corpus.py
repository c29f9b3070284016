"""The rows of a source, cleaned, cut into splits and counted, kept on the disk so that the next run need not read them.

A corpus is a folder of the cache: `corpus.json` says what is in it, and each split has its texts as one flat file.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from mhc.data import cleaning, fingerprint, labels, splits
from mhc.data.cache import Ints, ensure_folder, map_flat, read_ints, write_ints
from mhc.data.cleaning import Rows
from mhc.data.options import Cleaning, Splitting
from mhc.data.sources import Raw, Source
from mhc.facts import SplitFacts

log = logging.getLogger(__name__)

VERSION = 1
"""Of the layout on the disk and of the rules: a new one makes old folders of the cache useless."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What `corpus.json` holds."""

    labels: list[str]
    splits: dict[str, SplitFacts]
    origin: str
    cut: dict[str, str]
    cleaning: dict[str, int]
    train_fraction: float


class Corpus:
    """A corpus on the disk; opening it reads a small file and maps the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = msgspec.json.decode((folder / "corpus.json").read_bytes(), type=About)
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


def ensure(
    source: Source, cleaning: Cleaning, splitting: Splitting, names: Mapping[str, str], near: float | None, cache: Path
) -> Corpus:
    """Return the corpus, built now or by an earlier run.

    Args:
        source: where the rows come from.
        cleaning: which rows are dropped.
        splitting: how missing splits are cut.
        names: names of label values, in the order of the model's outputs; empty: the values are the names.
        near: share of common word pairs that makes a near copy; None: they are not counted.
        cache: folder of all caches.

    Raises:
        BadInput: the data cannot be used; says where and what to do.
    """
    options = [msgspec.to_builtins(cleaning), msgspec.to_builtins(splitting), list(names.items()), near]
    key = fingerprint.of_values([VERSION, source.key(), options])

    def fill(draft: Path) -> None:
        about, rows = prepare(source.read(cache / "datasets"), cleaning, splitting, names, near)
        for name, part in rows.items():
            write_rows(part, about.labels, name, draft)
        (draft / "corpus.json").write_bytes(msgspec.json.encode(about))

    return Corpus(ensure_folder(cache / "corpora" / key, fill))


def prepare(
    raw: Raw, options: Cleaning, splitting: Splitting, names: Mapping[str, str], near: float | None
) -> tuple[About, dict[str, Rows]]:
    """Check, clean, cut and count. Pure."""
    wanted = {name: checked(rows, raw, names, name) for name, rows in raw.splits.items()}
    kept, dropped = cleaning.clean(wanted, options)
    kept["train"] = labels.drop_or_refuse_rare(kept["train"], options, dropped)
    kept, how = splits.cut_missing(kept, splitting)
    kept = labels.drop_or_refuse_unknown(kept, options, dropped)
    kept["train"], fraction = splits.take_share(kept["train"], splitting)
    order = labels.order(kept["train"], names or dict(zip(raw.names, raw.names, strict=True)))
    about = About(
        labels=order,
        splits={name: counted(name, kept, order, near) for name in kept},
        origin=raw.origin,
        cut=how,
        cleaning={reason: count for reason, count in dropped.items() if count},
        train_fraction=fraction,
    )
    return about, kept


def checked(rows: Rows, raw: Raw, names: Mapping[str, str], split: str) -> Rows:
    """Return the rows with normalised texts and named labels, or refuse them in a sentence."""
    where = f"{raw.origin} ({split})"
    result = labels.named(rows, names, where)
    if not names and not raw.names:
        labels.refuse_numbers(result.labels, where)
        labels.refuse_texts(result.labels, where)
    return cleaning.normalised(result)


def counted(name: str, rows: dict[str, Rows], order: Sequence[str], near: float | None) -> SplitFacts:
    """Count and fingerprint one split; for val and test also what train has in common with it."""
    part, train = rows[name], rows["train"]
    times = Counter(part.labels)
    copies = shared = None
    if near is not None and name != "train":
        from mhc.data import leakage  # its library takes half a second to import

        copies = len(leakage.near_duplicates(train.texts, part.texts, near))
    if name != "train" and part.groups is not None and train.groups is not None:
        shared = len(known(train.groups) & known(part.groups))
    return SplitFacts(
        rows=len(part),
        fingerprint=fingerprint.of_rows(part),
        labels={label: times[label] for label in order},
        near_duplicates=copies,
        shared_groups=shared,
    )


def known(groups: Sequence[str | None]) -> set[str]:
    """Return the groups that are known."""
    return {group for group in groups if group is not None}


def write_rows(rows: Rows, order: Sequence[str], name: str, draft: Path) -> None:
    """Write the texts of a split as one flat file, where each ends, and the labels."""
    position = {label: number for number, label in enumerate(order)}
    ends = np.zeros(len(rows), np.int64)
    end = 0
    with (draft / f"{name}.texts").open("wb") as file:
        for row, text in enumerate(rows.texts):
            end += file.write(text.encode())
            ends[row] = end
    write_ints(draft / f"{name}.ends.npy", ends, np.int64)
    write_ints(draft / f"{name}.labels.npy", [position[label] for label in rows.labels], np.int32)
