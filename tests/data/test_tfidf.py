"""The vocabulary of n-grams: what it learns, and that it counts as scikit-learn does."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from mhc.data.tfidf.learn import learned
from mhc.data.tfidf.tokenizer import FILE, TfidfTokenizer
from mhc.errors import Unreadable

WORDS = ["river", "don't", "Stone,", "stone", "r\u00edo", "\u5ddd\u9762", "x", "a_b", "25", "7:30", "(lamp)", "ok!"]
CHANCE = random.Random(3)
TEXTS = [" ".join(CHANCE.choices(WORDS, k=CHANCE.randint(0, 20))) for _ in range(60)]


def empty(**changes: object) -> TfidfTokenizer:
    options = {
        "ngrams": 2,
        "longest_piece": 5,
        "max_tokens": 100,
        "lowercase": True,
        "split_digits": False,
        "mask": False,
    }
    return TfidfTokenizer(**(options | changes))  # type: ignore[arg-type]


def table(tokenizer: TfidfTokenizer, texts: list[str]) -> sparse.csr_matrix:
    ids, lengths, _ = tokenizer.encode(texts)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csr_matrix((np.ones(len(ids)), ids, starts), shape=(len(texts), len(tokenizer)))


@pytest.mark.parametrize("ngrams", [1, 2, 3])
@pytest.mark.parametrize("least", [1, 3])
def test_ngrams_are_those_of_scikit_learn(ngrams: int, least: int) -> None:
    ours = learned(empty(ngrams=ngrams), TEXTS, None, min_texts=least)
    words = CountVectorizer(ngram_range=(1, ngrams), min_df=least).fit(TEXTS)
    pieces = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=least).fit(TEXTS)
    assert set(ours.terms) == set(words.vocabulary_)
    assert set(ours.pieces) == set(pieces.vocabulary_)
    new = [*TEXTS, "stone river stone river", "unknown", ""]
    expected = sparse.hstack([words.transform(new), pieces.transform(new)]).tocsc()
    columns = [words.vocabulary_[term] for term in ours.terms]
    columns += [len(words.vocabulary_) + pieces.vocabulary_[piece] for piece in ours.pieces]
    assert (table(ours, new).tocsc()[:, 1:] != expected[:, columns]).nnz == 0


def test_ngram_of_two_texts_is_not_learned() -> None:
    texts = ["kwyjibo zorb", "kwyjibo zorb", "river", "river zorb"]
    tokenizer = learned(empty(), texts, None, min_texts=3)
    assert tokenizer.terms == ["zorb"]
    assert not any(piece in " kwyjibo " for piece in tokenizer.pieces)


def test_texts_of_one_author_count_as_one() -> None:
    texts = ["zorb river"] * 4
    assert learned(empty(), texts, np.array([5, 5, 5, 2]), min_texts=3).terms == []
    assert learned(empty(), texts, np.array([5, 5, -1, -1]), min_texts=3).terms == ["river", "zorb", "zorb river"]


def test_vocabulary_has_no_number() -> None:
    texts = ["call 4711 or 47-11 at n47", "call 4711 or 47-11 at n47", "call 4711 or 47-11 at n47"]
    tokenizer = learned(empty(split_digits=True), texts, None, min_texts=1)
    assert not any("47" in ngram or "11" in ngram for ngram in [*tokenizer.terms, *tokenizer.pieces])
    assert "call" in tokenizer.terms


def test_vocabulary_ends_at_its_size_with_the_most_frequent() -> None:
    whole = learned(empty(), TEXTS, None, min_texts=1)
    small = learned(empty(), TEXTS, None, min_texts=1, most=40)
    assert 20 < len(small) - 1 <= 40 < len(whole)
    assert set(small.terms) < set(whole.terms)
    assert "stone" in small.terms


def test_saved_vocabulary_gives_the_same_ids(tmp_path: Path) -> None:
    tokenizer = learned(empty(mask=True), TEXTS, None, min_texts=2)
    tokenizer.save_pretrained(tmp_path)
    again = TfidfTokenizer.from_pretrained(tmp_path)
    assert again == tokenizer
    assert all(
        (one == two).all() for one, two in zip(tokenizer.encode(TEXTS)[:2], again.encode(TEXTS)[:2], strict=True)
    )


def test_term_whose_words_are_missing_is_never_counted() -> None:
    tokenizer = empty(terms=["stone", "river stone"])
    assert tokenizer.encode(["river stone"])[0].tolist() == [1]


@pytest.mark.parametrize("content", ["", "{}", '{"ngrams": 0}', "[1]"])
def test_damaged_vocabulary_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(Unreadable, match=FILE):
        TfidfTokenizer.from_pretrained(tmp_path)


def test_long_text_is_cut_and_counted() -> None:
    tokenizer = learned(empty(max_tokens=3), ["a1 b2 c3"], None, min_texts=1)
    ids, lengths, cut = tokenizer.encode(["a1 b2 c3", "a1 b2 c3 a1 a1"])
    assert cut == [1]
    assert lengths[0] == lengths[1] == len(ids) / 2


def test_tokenizer_masks_by_itself() -> None:
    tokenizer = learned(empty(mask=True), ["write to me@example.org"], None, min_texts=1)
    assert "email" in tokenizer.terms
    assert not any("example" in term for term in tokenizer.terms)
    assert "me@example.org" not in json.dumps([tokenizer.terms, tokenizer.pieces])
