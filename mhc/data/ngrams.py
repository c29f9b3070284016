"""Words, word n-grams and pieces of words, hashed into buckets as in fastText: there is no vocabulary to store.

Word n-grams follow Joulin et al. 2017, pieces (character n-grams of a word and its borders) Bojanowski et al. 2017. The
same text gives the same ids on every machine: the hash of a word is the CRC-32 of its UTF-8 bytes, the hash of an
n-gram is mixed from the hashes of its parts. After the words are split, all operations are on arrays.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from mhc import files
from mhc.data import masking
from mhc.data.distinct_texts import DistinctTexts, by_author
from mhc.errors import Unreadable

FILE = "ngrams.json"
"""File in a tokenizer's folder that marks it as an `NgramTokenizer`."""

WORDS = re.compile(r"\w\w+")
"""At least two letters or digits, as in scikit-learn. Punctuation and single letters as words cost 2 to 4 points of
macro-F1 in cross-validation on real posts."""

REMEDY = "Restore the file, or train the model again"

CHUNK = 8192
"""Texts whose n-grams are in memory at once."""

SHORTEST_PIECE = 3
"""In letters; each border of a word counts as one."""

PIECES = np.uint64(0x5851F42D4C957F2D)
"""Separates the hashes of pieces from those of words (any large odd number works)."""

MIX = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio (Knuth's multiplicative hashing)."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class NgramTokenizer:
    """A tokenizer that gives ids of hashed n-grams; id 0 is padding."""

    buckets: Annotated[int, msgspec.Meta(ge=2)]
    """Ids go from 1 to `buckets` - 1."""
    ngrams: int
    """Longest word n-gram that is hashed."""
    max_tokens: int
    """Maximum number of words of a text; the rest is cut."""
    lowercase: bool
    subwords: int = 0
    """Longest character n-gram of a word that is hashed, borders of the word included; 0: none."""

    mask: bool = False
    """Replace URLs, e-mail addresses, user handles and phone numbers by marks first."""
    kept: str | None = None
    """The buckets that are used, as base64 of compressed bits; None: all."""

    pad_token_id: ClassVar[int] = 0

    def __len__(self) -> int:
        """Return the number of ids, padding included."""
        return self.buckets

    @cached_property
    def is_kept(self) -> npt.NDArray[np.bool_] | None:
        """[buckets]: whether ids of the bucket are used; None: all are."""
        if self.kept is None:
            return None
        bits = np.frombuffer(zlib.decompress(base64.b64decode(self.kept)), np.uint8)
        return np.unpackbits(bits, count=self.buckets).astype(bool)

    def without_rare(
        self, texts: Sequence[str], authors: npt.NDArray[np.integer] | None, min_texts: int
    ) -> NgramTokenizer:
        """Return a tokenizer that ignores buckets whose n-grams occur in fewer than `min_texts` of the texts."""
        distinct = DistinctTexts(self.buckets)
        order, numbers = by_author(len(texts), authors)
        for start in range(0, len(texts), CHUNK):
            rows = order[start : start + CHUNK]
            ids, lengths, _ = self.encode([texts[row] for row in rows])
            distinct.add(ids, np.repeat(numbers[start : start + CHUNK], lengths))
        bits = np.packbits(distinct.counts >= min_texts).tobytes()
        return replace(self, kept=base64.b64encode(zlib.compress(bits, 9)).decode())

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Ids, list[int]]:
        """Return (concatenated ids of all texts, number of ids per text, positions of the texts that were cut).

        A text of w words gives w + (w - 1) + ... ids, single words first, then the ids of the pieces of words; a
        text without words gives none.
        """
        masked = map(masking.mask, texts) if self.mask else texts
        full = [WORDS.findall(text.lower() if self.lowercase else text) for text in masked]
        words = [text_words[: self.max_tokens] for text_words in full]
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
            pieces, pieces_per_word = pieces_of(flat, self.subwords)
            ids.append(pieces)
            owners.append(np.repeat(text_of, pieces_per_word))
        buckets, lengths = self.by_text(np.concatenate(ids), np.concatenate(owners), len(words))
        return buckets, lengths, [row for row, text_words in enumerate(full) if len(text_words) > self.max_tokens]

    def by_text(self, hashes: npt.NDArray[np.uint64], owners: Ids, texts: int) -> tuple[Ids, Ids]:
        """Return the buckets ordered by text, and the number of buckets per text."""
        spread = (hashes * MIX) >> np.uint64(32)
        buckets = (spread % np.uint64(self.buckets - 1)).astype(np.int64) + 1
        if self.is_kept is not None:
            used = self.is_kept[buckets]
            buckets, owners = buckets[used], owners[used]
        return buckets[np.argsort(owners, kind="stable")], np.bincount(owners, minlength=texts)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `ngrams.json` into the folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> NgramTokenizer:
        """Return the tokenizer that `save_pretrained` wrote into the folder.

        Raises:
            Unreadable: if the file is missing or not valid.
        """
        path = Path(folder) / FILE
        try:
            with files.reading(path, REMEDY):
                result = msgspec.json.decode(files.read(path), type=cls)
                assert result.is_kept is None or len(result.is_kept) == result.buckets
                return result
        except FileNotFoundError:
            raise Unreadable(f"There is no {path}. {REMEDY}") from None


def hashes_of(words: list[str]) -> npt.NDArray[np.uint64]:
    """Return the hash of each word; repeated words are hashed once."""
    hashes = {word: zlib.crc32(word.encode("utf-8", "replace")) for word in set(words)}
    return np.fromiter(map(hashes.__getitem__, words), np.uint64, len(words))


def pieces_of(words: list[str], longest: int) -> tuple[npt.NDArray[np.uint64], Ids]:
    """Return the hashes of all pieces of each word, in the order of the words, and the number of pieces per word.

    `<word>` has the pieces `<wo`, `wor`, `ord`, `rd>`, then those of four letters, up to `longest`. Repeated
    words are cut into pieces once.
    """
    numbers: dict[str, int] = {}
    number_of = np.fromiter((numbers.setdefault(word, len(numbers)) for word in words), np.int64, len(words))
    letters = np.frombuffer("".join(f"<{word}>" for word in numbers).encode("utf-32-le", "replace"), np.uint32)
    sizes = np.fromiter((len(word) + 2 for word in numbers), np.int64, len(numbers))
    word_of = np.repeat(np.arange(len(numbers)), sizes)
    mixed = single = letters.astype(np.uint64) ^ PIECES
    hashes, owners = [], []
    for size in range(2, longest + 1):
        last = len(single) - size + 1
        mixed = (mixed[:last] * MIX) ^ (single[size - 1 :] + MIX)
        if size >= SHORTEST_PIECE:
            inside = word_of[:last] == word_of[size - 1 :]
            hashes.append(mixed[inside])
            owners.append(word_of[:last][inside])
    owner = np.concatenate(owners)
    by_word = np.concatenate(hashes)[np.argsort(owner, kind="stable")]
    pieces_per_word = np.bincount(owner, minlength=len(numbers))
    starts = np.cumsum(pieces_per_word) - pieces_per_word
    counts = pieces_per_word[number_of]
    positions = np.repeat(starts[number_of] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    return by_word[positions], counts
