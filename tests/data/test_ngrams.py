"""Hashed words, word n-grams and pieces of words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mhc.data.ngrams import NgramTokenizer, pieces_of

NGRAMS = NgramTokenizer(buckets=1000, ngrams=2, max_tokens=6, lowercase=True)
PIECES = NgramTokenizer(buckets=100_000, ngrams=2, max_tokens=6, lowercase=True, subwords=5)
TEXTS = st.lists(st.text(alphabet="abc xyz'.,é", max_size=40), max_size=8)


def ids_of(text: str, tokenizer: NgramTokenizer = NGRAMS) -> list[int]:
    return tokenizer.encode([text])[0].tolist()


def test_text_gives_its_words_and_then_its_pairs() -> None:
    assert len(ids_of("We never sleep.")) == 3 + 2
    assert ids_of("We never sleep.")[:2] == ids_of("we NEVER")[:2]


def test_order_of_words_changes_the_pairs_but_not_the_words() -> None:
    first, second = ids_of("not happy but sad"), ids_of("not sad but happy")
    assert sorted(first[:4]) == sorted(second[:4])
    assert sorted(first[4:]) != sorted(second[4:])


@given(TEXTS, st.sampled_from([NGRAMS, PIECES]))
def test_many_texts_give_the_same_ids_as_each_alone(texts: list[str], tokenizer: NgramTokenizer) -> None:
    ids, lengths, _ = tokenizer.encode(texts)
    together = [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])] if texts else []
    assert together == [ids_of(text, tokenizer) for text in texts]


def test_pieces_of_a_word_have_three_to_five_letters() -> None:
    pieces, counts = pieces_of(["sad", "so", "sad"], 5)
    assert counts.tolist() == [3 + 2 + 1, 2 + 1, 3 + 2 + 1]  # <sa sad ad> <sad sad> <sad>, <so so> <so>
    assert len(set(pieces.tolist())) == 6 + 3
    assert pieces[:6].tolist() == pieces[9:].tolist()


def test_words_with_a_common_stem_share_pieces_only() -> None:
    first, second = (set(ids_of(word, PIECES)) for word in ("hopeless", "hopeful"))
    shared = first & second  # <ho hop ope, <hop hope, <hope
    assert len(shared) == 6
    assert not set(ids_of("hopeless")) & set(ids_of("hopeful"))


def test_tokenizer_saved_without_subwords_has_none(tmp_path: Path) -> None:
    content = '{"buckets": 1000, "ngrams": 2, "max_tokens": 6, "lowercase": true}'
    (tmp_path / "ngrams.json").write_text(content, encoding="utf-8")
    assert NgramTokenizer.from_pretrained(tmp_path) == NGRAMS


def test_ids_are_the_same_on_every_machine() -> None:
    assert ids_of("calm today") == [553, 688, 761]


def test_ids_are_never_padding_and_within_the_buckets() -> None:
    small = NgramTokenizer(buckets=3, ngrams=3, max_tokens=100, lowercase=True)
    ids = ids_of(" ".join(str(number) for number in range(10, 100)), small)
    assert set(ids) == {1, 2}
    assert len(ids) == 90 + 89 + 88


def test_text_without_words_gives_no_ids() -> None:
    _, lengths, cut = NGRAMS.encode(["", "one two three four five six seven"])
    assert (lengths.tolist(), cut) == ([0, 6 + 5], [1])


def test_saved_tokenizer_is_read_back(tmp_path: Path) -> None:
    NGRAMS.save_pretrained(tmp_path)
    assert NgramTokenizer.from_pretrained(tmp_path) == NGRAMS
