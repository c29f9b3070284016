"""Learn the vocabulary of a `TfidfTokenizer` from the texts of train: what enough texts or authors have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mhc.data.distinct_texts import DistinctTexts, by_author
from mhc.data.options import Tokenizing
from mhc.data.tfidf.ragged import Ints, Ragged, grouped
from mhc.data.tfidf.tokenizer import WORDS, TfidfTokenizer, numbered, pairs, pieces_of

Authors = npt.NDArray[np.integer] | None

CHUNK = 4096
"""Texts whose n-grams are in memory at once."""


def learned_terms(options: Tokenizing, train: Iterable[str], authors: Authors, *, mask: bool) -> TfidfTokenizer:
    """Return the tokenizer of `options` with the vocabulary of train; with `mask` it masks texts by itself."""
    empty = TfidfTokenizer(
        ngrams=options.ngrams,
        longest_piece=options.subwords,
        max_tokens=options.max_words if options.kind == "embedding" else options.max_tokens,
        lowercase=options.lowercase,
        split_digits=options.split_digits,
        mask=mask,
    )
    return learned(empty, list(train), authors, min_texts=options.min_texts, most=options.vocab_size)


def learned(
    empty: TfidfTokenizer, texts: Sequence[str], authors: Authors, *, min_texts: int, most: int | None = None
) -> TfidfTokenizer:
    """Return the tokenizer with the n-grams that enough of the texts have.

    Args:
        empty: a tokenizer without a vocabulary.
        texts: normalised texts of train.
        authors: [texts]: a number per author, -1 if unknown; None: all are unknown.
        min_texts: an n-gram of fewer texts is not learned; texts of one author count as one.
        most: of more n-grams, those of fewest texts are not learned; None: all are.
    """
    distinct, tokens = numbered([empty.split(text)[: empty.max_tokens] for text in texts])
    order, numbers = by_author(len(texts), authors)
    count = Counter(tokens, order, numbers, min_texts)
    words = count.frequent(*numbered([WORDS.findall(token) for token in distinct]))
    shortest, longest = empty.shortest_piece, empty.longest_piece
    pieces = count.frequent(*numbered([pieces_of(token, shortest, longest) for token in distinct]))
    terms = [words]
    for size in range(2, empty.ngrams + 1):
        shorter = replace(empty, terms=[term for found in terms for term in sorted(found)])
        terms.append(longer_terms(shorter, distinct, size, count))
    fewest = threshold([*(found for found in terms), pieces], most)
    return replace(
        empty,
        terms=[term for found in terms for term in sorted(found) if found[term] >= fewest],
        pieces=sorted(piece for piece in pieces if pieces[piece] >= fewest),
    )


def threshold(counts: Sequence[dict[str, int]], most: int | None) -> int:
    """Return the number of texts from which n-grams are learned, so that they are at most `most`."""
    texts = np.sort([number for each in counts for number in each.values()])[::-1]
    return 0 if most is None or len(texts) <= most else int(texts[most]) + 1


class Counter:
    """Counts of the texts that have an n-gram; those of one author count as one.

    Args:
        tokens: the parts of each text, as numbers of distinct parts.
        order: the rows, those of one author together.
        authors: the authors of these rows, which never decrease.
        min_texts: texts that make an n-gram frequent.
    """

    def __init__(self, tokens: Ragged, order: Ints, authors: Ints, min_texts: int) -> None:
        self.tokens, self.order, self.authors, self.min_texts = tokens, order, authors, min_texts

    def frequent(self, names: Sequence[str], parts: Ragged) -> dict[str, int]:
        """Return the frequent n-grams with their counts, given the n-grams of each distinct part of a text."""
        numbers, counts = self.counted(self.tokens, parts, len(names))
        return {names[number]: count for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)}

    def counted(self, texts: Ragged, parts: Ragged, size: int) -> tuple[Ints, Ints]:
        """Return the frequent ones of `size` n-grams, and their counts.

        Args:
            texts: the parts of each text.
            parts: the n-grams of each part.
            size: number of n-grams.
        """
        distinct = DistinctTexts(size)
        for start in range(0, len(self.order), CHUNK):
            rows = Ragged.single(self.order[start : start + CHUNK])
            chunk = parts.take(texts.take(rows))
            distinct.add(chunk.values, np.repeat(self.authors[start : start + CHUNK], chunk.lengths))
        frequent = np.flatnonzero(distinct.counts >= self.min_texts)
        return frequent, distinct.counts[frequent]


def longer_terms(shorter: TfidfTokenizer, distinct: Sequence[str], size: int, count: Counter) -> dict[str, int]:
    """Return the frequent terms of `size` words with their counts; those of which they are made are frequent, too."""
    ids = [[shorter.term_ids.get(word, -1) for word in WORDS.findall(token)] for token in distinct]
    words = Ragged.of(ids).take(count.tokens)
    terms = words.values
    for shorter_size in range(2, size):
        terms = shorter.extended(terms, words, shorter_size)
    keys = shorter.keys_of(*pairs(terms, words, size))
    distinct_keys, numbers = np.unique(keys[keys >= 0], return_inverse=True)
    texts = grouped(numbers.astype(np.int64), words.owners[: len(keys)][keys >= 0], len(words.lengths))
    frequent, counts = count.counted(texts, Ragged.single(np.arange(len(distinct_keys))), len(distinct_keys))
    starts, lasts = np.divmod(distinct_keys[frequent], len(shorter))
    names = ["", *shorter.terms]
    rows = zip(starts.tolist(), lasts.tolist(), counts.tolist(), strict=True)
    return {f"{names[start]} {names[last]}": number for start, last, number in rows}
