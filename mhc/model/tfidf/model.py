"""Logistic regression over TF-IDF features. Pure: numpy and scipy, no torch, so that predictions start fast.

A text's vector has two parts, terms and pieces of words, each scaled to length 1. The weight of an n-gram is 1 + log of
its count, times its rarity, the smoothed inverse document frequency: as in scikit-learn with `sublinear_tf`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mhc.data.tokenizer import Encoded

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ROWS = 512
"""Texts that are scored at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TfidfModel:
    """The numbers of a fitted model; id 0 is padding, and has no weight."""

    weight: Floats
    """[ids, classes]"""
    bias: Floats
    """[classes]"""
    rarity: Floats
    """[ids]: inverse document frequency; 0 for an n-gram that train does not have."""
    first_piece: int
    """Ids from here on are those of pieces of words, those below of terms."""

    def probabilities(
        self, texts: Encoded, classes: int, on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return probabilities [n, classes] of n texts in their order; `on_batch` gets the rows of each batch."""
        return probabilities(texts, classes, lambda some: self.logits(some.ids, some.lengths), on_batch)

    def logits(self, ids: Ints, lengths: Ints) -> Floats:
        """Return logits [texts, classes] from the concatenated ids of texts and their numbers."""
        vectors = features(counts(ids, lengths, len(self.rarity)), self.rarity, self.first_piece)
        result: Floats = vectors @ self.weight + self.bias
        return result


def counts(ids: Ints, lengths: Ints, size: int) -> sparse.csr_matrix:
    """Return the count of each id in each text, [texts, size]."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    result = sparse.csr_matrix((np.ones(len(ids), np.float32), ids, starts), shape=(len(lengths), size))
    result.sum_duplicates()
    return result


def rarity_of(counted: sparse.csr_matrix) -> Floats:
    """Return ln((1 + n) / (1 + df)) + 1 per id, [size]; 0 for the padding and for an id that no text has."""
    texts = np.bincount(counted.indices, minlength=counted.shape[1])
    result = np.where(texts > 0, np.log((1 + counted.shape[0]) / (1 + texts)) + 1, 0)
    result[0] = 0
    return result.astype(np.float32)


def features(counted: sparse.csr_matrix, rarity: Floats, first_piece: int) -> sparse.csr_matrix:
    """Return the TF-IDF vectors of texts, [texts, size], given their counts."""
    values = (1 + np.log(counted.data)) * rarity[counted.indices]
    part = 2 * np.repeat(np.arange(counted.shape[0]), np.diff(counted.indptr)) + (counted.indices >= first_piece)
    lengths = np.sqrt(np.bincount(part, weights=values * values, minlength=2 * counted.shape[0]))
    values = (values / np.maximum(lengths[part], 1e-9)).astype(np.float32)
    return sparse.csr_matrix((values, counted.indices, counted.indptr), shape=counted.shape)


def probabilities(
    texts: Encoded,
    classes: int,
    logits: Callable[[Encoded], Floats],
    on_batch: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Return probabilities [n, classes] of n texts in their order, scored `ROWS` at a time by `logits`."""
    result = np.empty((len(texts.lengths), classes), np.float32)
    ends = np.concatenate([[0], np.cumsum(texts.lengths)])
    for start in range(0, len(result), ROWS):
        stop = min(start + ROWS, len(result))
        scores = logits(Encoded(ids=texts.ids[ends[start] : ends[stop]], lengths=texts.lengths[start:stop]))
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        result[start:stop] = shifted / shifted.sum(axis=1, keepdims=True)
        if on_batch:
            on_batch(stop - start)
    return result
