"""What the words of a text add to the scores of a linear model: all of it, and nothing else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mhc.data.cleaning import normalise
from mhc.data.tfidf.learn import learned
from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.model.tfidf.contributions import contributions, occurrences
from mhc.model.tfidf.model import TfidfModel, counts, rarity_of
from tests.support.trained import some_texts

TEXTS = [
    *some_texts(12, seed=4),
    "see https://example.org/river or write to me@example.org, river river",
    "Quiet, QUIET stones; 17 green2walks north-paper",
    "nothing known zzz",
    "a",
]
TRAIN = [*some_texts(60, seed=3), "2 green rivers 7 walks", "2 green rivers 7 walks", "2 green rivers 7 walks"]


def a_tokenizer(**options: int) -> TfidfTokenizer:
    values = {"ngrams": 3, "longest_piece": 5, "max_tokens": 50} | options
    empty = TfidfTokenizer(**values, lowercase=True, split_digits=True, mask=True)  # type: ignore[arg-type]
    return learned(empty, TRAIN, None, min_texts=2)


def a_model(tokenizer: TfidfTokenizer) -> TfidfModel:
    ids, lengths, _ = tokenizer.encode(TRAIN)
    random = np.random.default_rng(1)
    return TfidfModel(
        weight=random.normal(size=(len(tokenizer), 3)).astype(np.float32),
        bias=random.normal(size=3).astype(np.float32),
        rarity=rarity_of(counts(ids, lengths, len(tokenizer))),
        first_piece=tokenizer.first_piece,
    )


@pytest.mark.parametrize("options", [{}, {"longest_piece": 0}, {"ngrams": 1}, {"max_tokens": 4}], ids=str)
def test_shares_of_the_words_and_the_bias_are_the_logits(options: dict[str, int]) -> None:
    tokenizer = a_tokenizer(**options)
    model = a_model(tokenizer)
    for text in map(normalise, TEXTS):
        shares = contributions(model, tokenizer, text)
        ids, lengths, _ = tokenizer.encode([text])
        logits = model.logits(ids, lengths)[0]
        assert np.abs(shares.values.sum(axis=0) + shares.bias - logits).max() < 1e-4
        assert np.abs(logits - shares.bias).max() > 0.1 or not len(ids)


@pytest.mark.parametrize("options", [{}, {"ngrams": 2}, {"max_tokens": 4}], ids=str)
def test_ngrams_of_the_words_are_those_of_the_text(options: dict[str, int]) -> None:
    tokenizer = a_tokenizer(**options)
    for text in map(normalise, TEXTS):
        words = contributions(a_model(tokenizer), tokenizer, text).words
        ids, _, _ = tokenizer.encode([text])
        assert Counter(number for number, _ in occurrences(tokenizer, words)) == Counter(ids.tolist())


def test_share_of_a_word_is_that_of_its_ngrams() -> None:
    tokenizer = a_tokenizer()
    model = a_model(tokenizer)
    alone = contributions(model, tokenizer, "river zzz")
    assert alone.words == ["river", "zzz"]
    assert np.abs(alone.values[0]).max() > 0
    assert not alone.values[1].any()
