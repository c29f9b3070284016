"""The texts behind a run's evidence: their lengths, and the rows of the user's own files. It reads the data again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mhc.data import masking, readers
from mhc.data.cleaning import Rows, clean_text
from mhc.data.sources import Files, keys_of
from mhc.errors import BadInput
from mhc.production.build_bundle import data_of_run
from mhc.runs import evidence
from mhc.runs.evidence import Evidence

if TYPE_CHECKING:
    from mhc.data.datamodule import TextDataModule

PARTS = 4
"""Groups of equal size by the length of the text."""


class LengthGroup(NamedTuple):
    """Rows whose texts have from `shortest` to `longest` words."""

    shortest: int
    longest: int
    rows: int
    wrong: int


class TextsOfEvidence:
    """The texts of the examples of a split.

    Args:
        folder: the folder of the run.
        split: `val` or `test`.
        rows: its evidence.
        models: the folder of the models, which has the key of the ids.

    Raises:
        MhcError: if the data cannot be read any more.
        BadInput: if it does not have all examples of the evidence.
    """

    def __init__(self, folder: Path, split: str, rows: Evidence, models: Path) -> None:
        self._data: TextDataModule = data_of_run(folder)
        key = evidence.key(models)
        by_id = {evidence.example_id(text, key): text for text in self._data.normalised_texts(split)}
        texts = [by_id.get(row.tobytes()) for row in rows.ids]
        missing = texts.count(None)
        if missing:
            raise BadInput(
                f"The data has {len(texts) - missing:,} of the {len(texts):,} examples of {split}: the data, or the "
                f"key {models}/.evidence_key, has changed. Leave --rows out to see the mistakes by id"
            )
        self.texts: Sequence[str] = [text or "" for text in texts]
        """In the order of the evidence."""

    def rows_of(self, texts: Collection[str]) -> dict[str, list[str]]:
        """Return for each text where it is: `posts.csv row 12`, counted from 1 without the header."""
        places: dict[str, list[str]] = {text: [] for text in texts}
        for name, rows in self._files():
            for number, raw in enumerate(rows.texts, 1):
                text = self._cleaned(raw)
                if text in places:
                    places[text].append(f"{name} row {number:,}")
        return places

    def _files(self) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of each file as they are in it, or of each split of another source."""
        source = self._data.source
        if isinstance(source, Files):
            for split, path in source.paths.items():
                file = readers.file_rows(path, source.columns_of(split), source.reading, keys_of(split))
                yield path.name, file.rows
        else:
            yield from source.read(self._data.cache).splits.items()

    def _cleaned(self, raw: str) -> str:
        cleaning = self._data.cleaning
        text = clean_text(raw, repair=cleaning.repair)
        return masking.mask(text) if cleaning.mask else text


def by_length(texts: Sequence[str], wrong: NDArray[np.bool_]) -> list[LengthGroup]:
    """Return the mistakes in groups of about equal size, by the number of words; equal lengths share a group."""
    words = np.array([len(text.split()) for text in texts])
    edges = np.unique(np.quantile(words, np.linspace(0, 1, PARTS + 1)[1:-1])) if len(words) else np.array([])
    groups = np.searchsorted(edges, words, side="left")
    return [
        LengthGroup(
            int(words[groups == group].min()), int(words[groups == group].max()),
            int((groups == group).sum()), int(wrong[groups == group].sum()),
        )
        for group in np.unique(groups)
    ]  # fmt: skip


def place_of(text: str, places: Mapping[str, Sequence[str]]) -> str:
    """Return the places of a text, the first three of them."""
    found = places.get(text, [])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more
