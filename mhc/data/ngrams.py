"""Words, runs of words and pieces of words, hashed into buckets, in the manner of fastText: no vocabulary to keep.

Runs of words after Joulin et al. 2017, pieces (runs of letters within a word and its borders) after Bojanowski et al.
2017. The same text gives the same ids on every machine: a word's hash is the CRC-32 of its UTF-8 bytes, a longer
thing's is mixed from those of its parts, and everything after the words is done on whole arrays.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mhc.errors import Unreadable

FILE = "ngrams.json"
"""The file in a tokenizer's folder that says that it is one of ours."""

WORDS = re.compile(r"\w\w+")
"""Two letters or digits at least, as scikit-learn counts words; marks and single letters cost more than they tell:
2 to 4 points of macro-F1 in cross-validation on real posts."""

SHORTEST_PIECE = 3
"""Letters; the borders of a word count as one each."""

PIECES = np.uint64(0x5851F42D4C957F2D)
"""Keeps pieces of words apart from words (any large odd number does)."""

MIX = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio (Knuth's multiplicative hashing)."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class NgramTokenizer:
    """Texts to ids of hashed n-grams; id 0 pads."""

    buckets: int
    """Ids go from 1 to `buckets` - 1."""
    ngrams: int
    """Longest run of words that is hashed."""
    max_tokens: int
    """Most words of a text; the rest is cut."""
    lowercase: bool
    subwords: int = 0
    """Longest run of letters within a word that is hashed, its borders included; 0: none."""

    pad_token_id: ClassVar[int] = 0

    def __len__(self) -> int:
        """Return the number of ids, padding included."""
        return self.buckets

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids, list[int]]:
        """Return (ids of all texts in a row, ids per text, positions of the texts that were cut).

        A text of w words gives w + (w - 1) + ... ids, single words first, then those of the words' pieces; a text
        without words gives none.
        """
        found = [WORDS.findall(text.lower() if self.lowercase else text) for text in texts]
        words = [one[: self.max_tokens] for one in found]
        counts = np.fromiter(map(len, words), np.int64, len(words))
        flat = list(chain.from_iterable(words))
        hashes = hashes_of(flat)
        text_of = np.repeat(np.arange(len(words)), counts)
        ids, owners = [hashes], [text_of]
        mixed = hashes
        for size in range(2, self.ngrams + 1):
            last = len(hashes) - size + 1
            if last <= 0:
                break
            mixed = (mixed[:last] * MIX) ^ (hashes[size - 1 :] + MIX)
            inside = text_of[:last] == text_of[size - 1 :]
            ids.append(mixed[inside])
            owners.append(text_of[:last][inside])
        if self.subwords >= SHORTEST_PIECE and flat:
            pieces, each = pieces_of(flat, self.subwords)
            ids.append(pieces)
            owners.append(np.repeat(text_of, each))
        buckets, lengths = self.by_text(np.concatenate(ids), np.concatenate(owners), len(words))
        return buckets, lengths, [row for row, one in enumerate(found) if len(one) > self.max_tokens]

    def by_text(self, hashes: npt.NDArray[np.uint64], owners: Ids, texts: int) -> tuple[Ids, Ids]:
        """Return the buckets ordered by text, and how many each text has."""
        spread = (hashes * MIX) >> np.uint64(32)
        buckets = (spread % np.uint64(self.buckets - 1)).astype(np.int64) + 1
        return buckets[np.argsort(owners, kind="stable")], np.bincount(owners, minlength=texts)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `ngrams.json` into the folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> NgramTokenizer:
        """Read what `save_pretrained` wrote.

        Raises:
            Unreadable: the file is not there or is not what it should be.
        """
        path = Path(folder) / FILE
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise Unreadable(
                f"{path} is no n-gram tokenizer ({type(error).__name__}). Train the model again"
            ) from error


def hashes_of(words: list[str]) -> npt.NDArray[np.uint64]:
    """Return the hash of each word; a word that comes again is hashed once."""
    known = {word: zlib.crc32(word.encode("utf-8", "replace")) for word in set(words)}
    return np.fromiter(map(known.__getitem__, words), np.uint64, len(words))


def pieces_of(words: list[str], longest: int) -> tuple[npt.NDArray[np.uint64], Ids]:
    """Return the hashes of all pieces of each word, one word after the other, and how many pieces each word has.

    `<word>` has the pieces `<wo`, `wor`, `ord`, `rd>`, then those of four letters, up to `longest`. A word that comes
    again is cut up once.
    """
    places: dict[str, int] = {}
    which = np.fromiter((places.setdefault(word, len(places)) for word in words), np.int64, len(words))
    letters = np.frombuffer("".join(f"<{word}>" for word in places).encode("utf-32-le", "replace"), np.uint32)
    sizes = np.fromiter((len(word) + 2 for word in places), np.int64, len(places))
    word_of = np.repeat(np.arange(len(places)), sizes)
    mixed = single = letters.astype(np.uint64) ^ PIECES
    found, owners = [], []
    for size in range(2, longest + 1):
        last = len(single) - size + 1
        mixed = (mixed[:last] * MIX) ^ (single[size - 1 :] + MIX)
        if size >= SHORTEST_PIECE:
            inside = word_of[:last] == word_of[size - 1 :]
            found.append(mixed[inside])
            owners.append(word_of[:last][inside])
    owner = np.concatenate(owners)
    by_word = np.concatenate(found)[np.argsort(owner, kind="stable")]
    each = np.bincount(owner, minlength=len(places))
    starts = np.cumsum(each) - each
    counts = each[which]
    at = np.repeat(starts[which] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    return by_word[at], counts
