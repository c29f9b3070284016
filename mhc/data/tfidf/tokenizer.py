"""Tokenizer from texts to ids of the n-grams in a learned vocabulary; the features of scikit-learn's TF-IDF.

Word n-grams are those of `CountVectorizer(ngram_range=(1, n))`, pieces of words those of `analyzer="char_wb"`. Every
distinct word is cut and looked up once; after that, all operations are on arrays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import numpy as np

from mhc import files
from mhc.data import masking
from mhc.data.tfidf.ragged import Ints, Ragged, concatenated, grouped, positions
from mhc.errors import Unreadable

FILE = "tfidf.json"
"""File in a tokenizer's folder that marks it as a `TfidfTokenizer`."""
MAX_BYTES = 1 << 28
"""Size of the largest vocabulary that is read."""
REMEDY = "Restore the file, or train the model again"

WORDS = re.compile(r"\w\w+")
"""At least two letters or digits, as in scikit-learn."""
DIGIT = re.compile(r"\d")

Size = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(frozen=True, kw_only=True)
class TfidfTokenizer:
    """A tokenizer that gives ids of n-grams in a vocabulary: terms, then pieces; id 0 is padding."""

    ngrams: Size
    """Words of the longest term."""
    longest_piece: Annotated[int, msgspec.Meta(ge=0)]
    """Letters of the longest piece; 0: there are no pieces."""
    max_tokens: Size
    """Maximum number of words of a text; the rest is cut."""
    lowercase: bool
    split_digits: bool
    """Each digit is a word of its own, so that no number is in the vocabulary."""
    mask: bool
    """Replace URLs, e-mail addresses, user handles and phone numbers by marks first."""
    shortest_piece: Size = 3
    """Letters of the shortest piece, borders of the word included."""
    terms: list[str] = field(default_factory=list)
    """Words, then pairs of words with a space between them, and so on; each in alphabetical order."""
    pieces: list[str] = field(default_factory=list)
    """Pieces of words, in alphabetical order; a border of a word is a space."""

    pad_token_id: ClassVar[int] = 0

    def __len__(self) -> int:
        """Return the number of ids, padding included."""
        return self.first_piece + len(self.pieces)

    @property
    def first_piece(self) -> int:
        """Id of the first piece; ids below it are those of terms."""
        return 1 + len(self.terms)

    @cached_property
    def term_ids(self) -> dict[str, int]:
        """Id by term."""
        return {term: number for number, term in enumerate(self.terms, 1)}

    @cached_property
    def piece_ids(self) -> dict[str, int]:
        """Id by piece."""
        return {piece: number for number, piece in enumerate(self.pieces, self.first_piece)}

    @cached_property
    def longer_terms(self) -> tuple[Ints, Ints]:
        """Sorted keys of the terms of several words, and their ids; see `keys_of`."""
        parts = [(*term.rpartition(" ")[::2], number) for term, number in self.term_ids.items() if " " in term]
        ids = [(self.term_ids.get(start, -1), self.term_ids.get(last, -1), number) for start, last, number in parts]
        table = np.array([row for row in ids if min(row) >= 0], np.int64).reshape(-1, 3)
        keys = self.keys_of(table[:, 0], table[:, 1])
        order = np.argsort(keys)
        return keys[order], table[order, 2]

    def keys_of(self, starts: Ints, lasts: Ints) -> Ints:
        """Return a number for each pair of a term and a word that follows it; -1 if one of them is -1."""
        return np.where((starts < 0) | (lasts < 0), -1, starts * len(self) + lasts)

    def split(self, text: str) -> list[str]:
        """Return the parts of a text between white space, all of them, after masking and lower-casing."""
        return self.parts(masking.mask(text) if self.mask else text)

    def parts(self, masked: str) -> list[str]:
        """Return the parts of a masked text; each is of one of its words, and digits are parts of their own."""
        plain = masked.lower() if self.lowercase else masked
        return (DIGIT.sub(r" \g<0> ", plain) if self.split_digits else plain).split()

    def encode(self, texts: Sequence[str]) -> tuple[Ints, Ints, list[int]]:
        """Return (concatenated ids of all texts, number of ids per text, positions of the texts that were cut).

        An n-gram that a text has several times has its id several times; one that is not in the vocabulary has none.
        """
        full = [self.split(text) for text in texts]
        distinct, tokens = numbered([tokens[: self.max_tokens] for tokens in full])
        words = Ragged.of([self.term_ids.get(word, -1) for word in WORDS.findall(token)] for token in distinct)
        pieces = Ragged.of(self.known_pieces(token) for token in distinct)
        ids = concatenated(self.with_longer_terms(words.take(tokens)), pieces.take(tokens))
        return ids.values, ids.lengths, [row for row, tokens_of in enumerate(full) if len(tokens_of) > self.max_tokens]

    def known_pieces(self, token: str) -> list[int]:
        """Return the ids of the pieces of a part of a text."""
        cut = pieces_of(token, self.shortest_piece, self.longest_piece)
        return [number for piece in cut if (number := self.piece_ids.get(piece)) is not None]

    def with_longer_terms(self, words: Ragged) -> Ragged:
        """Return the ids of all terms of each text, given those of its words in their order, -1 if unknown."""
        owners, terms = words.owners, words.values
        ids, rows = [terms], [owners]
        for size in range(2, self.ngrams + 1):
            terms = self.extended(terms, words, size)
            ids.append(terms)
            rows.append(owners[: len(terms)])
        merged, texts = np.concatenate(ids), np.concatenate(rows)
        return grouped(merged[merged >= 0], texts[merged >= 0], len(words.lengths))

    def extended(self, terms: Ints, words: Ragged, size: int) -> Ints:
        """Return the term of `size` words that begins at each word, given those one word shorter; -1: there is none."""
        keys, ids = self.longer_terms
        if not len(keys):
            return np.empty(0, np.int64)
        places = positions(self.keys_of(*pairs(terms, words, size)), keys)
        return np.where(places >= 0, ids[places], -1)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `tfidf.json` into the folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(self), indent=0, ensure_ascii=False)
        (Path(folder) / FILE).write_text(content + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> TfidfTokenizer:
        """Return the tokenizer that `save_pretrained` wrote into the folder.

        Raises:
            Unreadable: if the file is missing or not valid.
        """
        path = Path(folder) / FILE
        try:
            with files.reading(path, REMEDY):
                return msgspec.json.decode(files.read(path, MAX_BYTES), type=cls)
        except FileNotFoundError:
            raise Unreadable(f"There is no {path}. {REMEDY}") from None


def numbered(texts: Sequence[Sequence[str]]) -> tuple[list[str], Ragged]:
    """Return the distinct parts of texts, and the texts as numbers of these."""
    numbers: dict[str, int] = {}
    tokens = chain.from_iterable(texts)
    flat = np.fromiter((numbers.setdefault(token, len(numbers)) for token in tokens), np.int64)
    return list(numbers), Ragged(values=flat, lengths=np.fromiter(map(len, texts), np.int64, len(texts)))


def pairs(terms: Ints, words: Ragged, size: int) -> tuple[Ints, Ints]:
    """Return the terms of `size` - 1 words that begin at each word, and the word that follows each in its text.

    The word is -1 if the text ends before it.
    """
    last = max(0, len(words.values) - size + 1)
    owners = words.owners
    return terms[:last], np.where(owners[:last] == owners[size - 1 :], words.values[size - 1 :], -1)


def pieces_of(token: str, shortest: int, longest: int) -> list[str]:
    """Return the pieces of a part of a text with a space at each border, as scikit-learn's `char_wb` does.

    A part that is shorter than a size is itself the only piece of this size; longer sizes have none then.
    """
    padded = f" {token} "
    result = []
    for size in range(shortest, longest + 1):
        last = len(padded) - size
        result += [padded[start : start + size] for start in range(max(0, last) + 1)]
        if last <= 0:
            break
    return result
