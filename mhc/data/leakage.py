"""What of a validation or test split also stands in train: exact copies, near copies, shared groups. Pure; no torch.

Near copies are texts whose sets of word pairs have a Jaccard similarity of at least a threshold. Candidates are found
by MinHash and locality-sensitive hashing (A. Broder, "On the resemblance and containment of documents", 1997;
J. Leskovec, A. Rajaraman, J. Ullman, "Mining of Massive Datasets", section 3.4) and then verified exactly, so that
nothing is called a near copy that is none. Case and punctuation make no difference. Only counts and row numbers leave.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from mhc.errors import BadConfig

PERMUTATIONS = 128
MISSED = 0.001
"""Share of near copies just at the threshold that the hashing may miss; it falls fast above the threshold."""
_CHUNK = 20_000
_WORDS = re.compile(r"\w+")
_MIX = np.uint64(0x9E3779B97F4A7C15)

Shingles = NDArray[np.uint64]
"""A text's set of word pairs: sorted distinct 64-bit hashes, never empty."""


def shared_groups(train: Sequence[str], other: Sequence[str]) -> int:
    """How many groups (authors) of `other` also stand in `train`; each argument has one entry per row."""
    return len(set(train) & set(other))


def near_duplicates(train: Sequence[str], other: Sequence[str], threshold: float) -> NDArray[np.int64]:
    """Rows of `other`, ascending, that are near (or exact) copies of a text in `train`.

    Two texts are near copies when |A and B| / |A or B| >= `threshold` (above 0, at most 1) for their sets of word
    pairs. Memory grows with `other` only: `train` passes by in chunks.
    """
    if not 0 < threshold <= 1:
        raise BadConfig(f"The threshold for near duplicates is {threshold}; it has to be above 0 and at most 1.")
    if not train or not other:
        return np.empty(0, np.int64)
    words: dict[str, int] = {}
    waiting, rows_of = _distinct(_shingles(other, words))
    index = _index(waiting, threshold)
    found: set[int] = set()
    seen: set[bytes] = set()
    for start in range(0, len(train), _CHUNK):
        chunk = _unseen(_shingles(train[start : start + _CHUNK], words), seen)
        for shingles, minhash in zip(chunk, _minhashes(chunk), strict=True):
            close = (key for key in index.query(minhash) if key not in found)
            found.update(key for key in close if jaccard(shingles, waiting[key]) >= threshold)
    return np.sort(np.array([row for key in found for row in rows_of[key]], np.int64))


def jaccard(first: Shingles, second: Shingles) -> float:
    """|A and B| / |A or B| of two sets of hashes; both sorted and distinct."""
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common / (len(first) + len(second) - common)


def bands(threshold: float) -> tuple[int, int]:
    """Bands and rows per band of the hashing.

    A pair of similarity s is missed with probability (1 - s^rows)^bands; the most rows (the fewest false candidates)
    that miss at most `MISSED` at the threshold.
    """
    for rows in range(PERMUTATIONS // 2, 1, -1):
        count = PERMUTATIONS // rows
        if (1 - threshold**rows) ** count <= MISSED:
            return count, rows
    return PERMUTATIONS, 1


def _shingles(texts: Sequence[str], words: dict[str, int]) -> list[Shingles]:
    """The set of word pairs of each text, its beginning and its end counting as words; `words` numbers the words."""
    return [_pairs(_word_ids(text, words)) for text in texts]


def _word_ids(text: str, words: dict[str, int]) -> NDArray[np.uint64]:
    found = _WORDS.findall(text.lower()) or [text]
    return np.array([0, *(words.setdefault(word, len(words) + 1) for word in found), 0], np.uint64)


def _pairs(ids: NDArray[np.uint64]) -> Shingles:
    return np.unique(_scramble((ids[:-1] << np.uint64(32)) | ids[1:]))


def _scramble(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection that spreads neighbouring numbers (Fibonacci hashing and a shift, twice)."""
    for _ in range(2):
        values = (values ^ (values >> np.uint64(32))) * _MIX
    return values ^ (values >> np.uint64(32))


def _distinct(sets: list[Shingles]) -> tuple[list[Shingles], list[list[int]]]:
    """The different ones among `sets`, and the rows that each stands for."""
    rows_of: dict[bytes, list[int]] = {}
    for row, shingles in enumerate(sets):
        rows_of.setdefault(shingles.tobytes(), []).append(row)
    return [sets[rows[0]] for rows in rows_of.values()], list(rows_of.values())


def _unseen(sets: list[Shingles], seen: set[bytes]) -> list[Shingles]:
    """The sets that did not come by yet; `seen` holds the hashes of those that did."""
    fresh = []
    for shingles in sets:
        mark = hashlib.blake2b(shingles.tobytes(), digest_size=16).digest()
        if mark not in seen:
            seen.add(mark)
            fresh.append(shingles)
    return fresh


def _minhashes(sets: list[Shingles]) -> Iterator[MinHash]:
    """The MinHash of each set, all sets at once per permutation."""
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
