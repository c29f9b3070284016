"""How much each word of a text adds to the scores of a linear model: exact, because the scores are sums. Pure.

An n-gram's share of a score is divided among its occurrences, and that of an occurrence among the words that it covers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mhc.data import masking
from mhc.data.tfidf.tokenizer import WORDS, TfidfTokenizer
from mhc.model.tfidf.model import Floats, TfidfModel, counts, features

Occurrence = tuple[int, tuple[int, ...]]
"""Id of an n-gram, and the positions of the words that it covers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contributions:
    """What each word adds to each score; with the bias they add up to the logits."""

    words: list[str]
    """Parts of the masked text between white space."""
    values: Floats
    """[words, classes]"""
    bias: Floats
    """[classes]"""


def contributions(model: TfidfModel, tokenizer: TfidfTokenizer, text: str) -> Contributions:
    """Return what each word of a normalised text adds to the logits; words behind the longest text add nothing."""
    words = (masking.mask(text) if tokenizer.mask else text).split()
    found = list(occurrences(tokenizer, words))
    ids = np.array([number for number, _ in found], np.int64)
    counted = counts(ids, np.array([len(ids)], np.int64), len(model.rarity))
    vector = features(counted, model.rarity, model.first_piece)
    repeats = dict(zip(counted.indices.tolist(), counted.data.tolist(), strict=True))
    weights = dict(zip(vector.indices.tolist(), vector.data.tolist(), strict=True))
    values = np.zeros((len(words), model.weight.shape[1]), np.float64)
    for number, places in found:
        share = weights[number] / (repeats[number] * len(places)) * model.weight[number].astype(np.float64)
        for place in places:
            values[place] += share
    return Contributions(words=words, values=values.astype(np.float32), bias=model.bias)


def occurrences(tokenizer: TfidfTokenizer, words: Sequence[str]) -> Iterator[Occurrence]:
    """Yield each n-gram of the vocabulary in a text, given as masked words; as often as `encode` has it."""
    tokens = [(token, place) for place, word in enumerate(words) for token in tokenizer.parts(word)]
    tokens = tokens[: tokenizer.max_tokens]
    terms = [(word, place) for token, place in tokens for word in WORDS.findall(token)]
    for start in range(len(terms)):
        yield from _terms_from(tokenizer, terms[start : start + tokenizer.ngrams])
    for token, place in tokens:
        yield from ((number, (place,)) for number in tokenizer.known_pieces(token))


def _terms_from(tokenizer: TfidfTokenizer, terms: Sequence[tuple[str, int]]) -> Iterator[Occurrence]:
    """Yield the terms that begin with the first of these words: each longer one continues one of the vocabulary."""
    for size in range(1, len(terms) + 1):
        number = tokenizer.term_ids.get(" ".join(word for word, _ in terms[:size]))
        if number is None or terms[size - 1][0] not in tokenizer.term_ids:
            return
        yield number, tuple(place for _, place in terms[:size])
