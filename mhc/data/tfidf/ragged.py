"""Lists of numbers of different lengths in one array, and look-ups of many keys at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Ragged:
    """Lists of numbers, concatenated."""

    values: Ints
    """[sum of lengths]"""
    lengths: Ints
    """[lists]: number of values per list."""

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]]) -> Ragged:
        """Return lists of numbers as one array."""
        rows = list(lists)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        values = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
        return cls(values=values, lengths=lengths)

    @classmethod
    def single(cls, values: Ints) -> Ragged:
        """Return a list for each value."""
        return cls(values=values, lengths=np.ones(len(values), np.int64))

    @property
    def owners(self) -> Ints:
        """[sum of lengths]: the list of each value."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def take(self, numbers: Ragged) -> Ragged:
        """Return for each list of `numbers` the lists with these numbers, one after the other."""
        starts = np.cumsum(self.lengths) - self.lengths
        counts = self.lengths[numbers.values]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        values = self.values[np.repeat(starts[numbers.values], counts) + inside]
        lengths = np.bincount(numbers.owners, weights=counts, minlength=len(numbers.lengths)).astype(np.int64)
        return Ragged(values=values, lengths=lengths)


def concatenated(first: Ragged, second: Ragged) -> Ragged:
    """Return each list of `first` followed by the list of `second` with the same number."""
    values = np.concatenate([first.values, second.values])
    return grouped(values, np.concatenate([first.owners, second.owners]), len(first.lengths))


def grouped(values: Ints, owners: Ints, lists: int) -> Ragged:
    """Return values [n] as lists, given the list of each, [n]; values of a list stay in their order."""
    lengths = np.bincount(owners, minlength=lists)
    return Ragged(values=values[np.argsort(owners, kind="stable")], lengths=lengths)


def positions(keys: Ints, table: Ints) -> Ints:
    """Return [keys]: the position of each key in `table`, which is sorted; -1 if it is not there."""
    if not len(table):
        return np.full(len(keys), -1, np.int64)
    places = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return np.where(table[places] == keys, places, -1)
