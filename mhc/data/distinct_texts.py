"""Count in how many texts, or by how many authors, each word occurs: what only one of them writes is not learned. Pure.

Texts of one author count as one text; a text of an unknown author counts as one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class DistinctTexts:
    """Counts per id; texts are added in the order of `by_author`."""

    def __init__(self, ids: int) -> None:
        self.counts: Ints = np.zeros(ids, np.int64)
        self.last_author: Ints = np.full(ids, -1, np.int64)

    def add(self, ids: Ints, authors: Ints) -> None:
        """Count ids [n] of texts by authors [n], which never decrease, not even from one call to the next."""
        pairs = np.sort(authors * len(self.counts) + ids)  # np.unique takes 60 times as long
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        authors, ids = np.divmod(pairs, len(self.counts))
        new = self.last_author[ids] != authors
        np.add.at(self.counts, ids[new], 1)
        self.last_author[ids] = authors  # of an id that occurs several times, the last author is kept


def by_author(texts: int, authors: npt.NDArray[np.integer] | None) -> tuple[Ints, Ints]:
    """Return ([texts]: the rows, those of one author together; [texts]: their authors, which never decrease)."""
    numbers = np.arange(texts, dtype=np.int64)
    if authors is not None:
        numbers = np.where(authors < 0, int(authors.max(initial=-1)) + 1 + numbers, authors)
    order = np.argsort(numbers, kind="stable")
    return order, numbers[order]
