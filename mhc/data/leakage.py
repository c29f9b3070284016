"""Rows of a validation or test split that are near (or exact) copies of rows of train. Pure; no torch.

Near copies are texts whose sets of word pairs have a Jaccard similarity of at least a threshold. Candidates are found
by MinHash and locality-sensitive hashing (A. Broder, "On the resemblance and containment of documents", 1997;
J. Leskovec, A. Rajaraman, J. Ullman, "Mining of Massive Datasets", section 3.4) and then verified exactly, so that
there are no false positives. Case and punctuation are ignored. In scripts without blanks between words (Chinese,
Japanese, Thai, ...), in Korean, whose words change with their endings, and in runs of letters that are too long for a
word, each character counts as a word. Results are row numbers, never texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from mhc.data.quality.words import words_of
from mhc.errors import BadConfig

PERMUTATIONS = 128
MISSED = 0.001
"""Share of near copies just at the threshold that the hashing may miss; it decreases fast above the threshold."""
_CHUNK = 20_000
"""Texts of train that are in memory at once."""
_MIX = np.uint64(0x9E3779B97F4A7C15)

Shingles = NDArray[np.uint64]
"""A text's set of word pairs: sorted distinct 64-bit hashes, never empty."""


def near_duplicates(train: Sequence[str], other: Sequence[str], threshold: float) -> NDArray[np.int64]:
    """Return the rows of `other`, in ascending order, that are near (or exact) copies of a text in `train`.

    Two texts are near copies if |A and B| / |A or B| >= `threshold` for their sets of word pairs. Memory grows with
    `other` only: `train` is processed in chunks.

    Args:
        train: texts of the training split.
        other: texts of the other split.
        threshold: above 0 and at most 1.

    Raises:
        BadConfig: if the threshold is out of this range.
    """
    if not 0 < threshold <= 1:
        raise BadConfig(f"The threshold for near duplicates is {threshold}; it has to be above 0 and at most 1")
    if not train or not other:
        return np.empty(0, np.int64)
    words: dict[str, int] = {}
    sets, rows_of = _distinct(_shingles(other, words))
    index = _index(sets, threshold)
    copies: set[int] = set()
    digests: set[bytes] = set()
    for start in range(0, len(train), _CHUNK):
        chunk = _new_sets(_shingles(train[start : start + _CHUNK], words), digests)
        for shingles, minhash in zip(chunk, _minhashes(chunk), strict=True):
            candidates = (key for key in index.query(minhash) if key not in copies)
            copies.update(key for key in candidates if jaccard(shingles, sets[key]) >= threshold)
    return np.sort(np.array([row for key in copies for row in rows_of[key]], np.int64))


def jaccard(first: Shingles, second: Shingles) -> float:
    """Return |A and B| / |A or B| of two sets of hashes; both sorted and distinct."""
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common / (len(first) + len(second) - common)


def bands(threshold: float) -> tuple[int, int]:
    """Return the number of bands and of rows per band of the hashing.

    A pair of similarity s is missed with probability (1 - s^rows)^bands. The result has the most rows (the fewest false
    candidates) with which this probability is at most `MISSED` at the threshold.
    """
    for rows in range(PERMUTATIONS // 2, 1, -1):
        count = PERMUTATIONS // rows
        if (1 - threshold**rows) ** count <= MISSED:
            return count, rows
    return PERMUTATIONS, 1


def _shingles(texts: Sequence[str], words: dict[str, int]) -> list[Shingles]:
    """Return the set of word pairs of each text; `words` numbers the words. Begin and end of a text count as words."""
    return [_pairs(_word_ids(text, words)) for text in texts]


def _word_ids(text: str, words: dict[str, int]) -> NDArray[np.uint64]:
    parts = words_of(text.lower()) or [text]
    return np.array([0, *(words.setdefault(word, len(words) + 1) for word in parts), 0], np.uint64)


def _pairs(ids: NDArray[np.uint64]) -> Shingles:
    return np.unique(_scramble((ids[:-1] << np.uint64(32)) | ids[1:]))


def _scramble(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values under a bijection that spreads adjacent numbers (Fibonacci hashing and a shift, twice)."""
    for _ in range(2):
        values = (values ^ (values >> np.uint64(32))) * _MIX
    return values ^ (values >> np.uint64(32))


def _distinct(sets: list[Shingles]) -> tuple[list[Shingles], list[list[int]]]:
    """Return the distinct sets, and the rows that have each of them."""
    rows_of: dict[bytes, list[int]] = {}
    for row, shingles in enumerate(sets):
        rows_of.setdefault(shingles.tobytes(), []).append(row)
    return [sets[rows[0]] for rows in rows_of.values()], list(rows_of.values())


def _new_sets(sets: list[Shingles], digests: set[bytes]) -> list[Shingles]:
    """Return the sets that were not processed yet, and add them to `digests`, the hashes of all processed sets."""
    result = []
    for shingles in sets:
        digest = hashlib.blake2b(shingles.tobytes(), digest_size=16).digest()
        if digest not in digests:
            digests.add(digest)
            result.append(shingles)
    return result


def _minhashes(sets: list[Shingles]) -> Iterator[MinHash]:
    """Yield the MinHash of each set; each permutation is computed for all sets at once."""
    if not sets:
        return
    permutations = MinHash(num_perm=PERMUTATIONS).permutations
    flat = (np.concatenate(sets) >> np.uint64(32)).astype(np.uint32)
    starts = np.cumsum([0, *(len(shingles) for shingles in sets[:-1])])
    signatures = np.empty((len(sets), PERMUTATIONS), np.uint32)
    for column, (a, b) in enumerate(zip(*permutations, strict=True)):
        signatures[:, column] = np.minimum.reduceat(a * flat + b, starts)
    for row in signatures:
        yield MinHash(hashvalues=row, permutations=permutations, scheme="affine32")


def _index(sets: list[Shingles], threshold: float) -> MinHashLSH:
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, params=bands(threshold))
    for key, minhash in enumerate(_minhashes(sets)):
        index.insert(key, minhash, check_duplication=False)
    return index
