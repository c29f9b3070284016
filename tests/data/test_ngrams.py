"""Hashed words and word n-grams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mhc.data.ngrams import NgramTokenizer, pieces_of

NGRAMS = NgramTokenizer(buckets=1000, ngrams=2, max_tokens=6, lowercase=True)
PIECES = NgramTokenizer(buckets=100_000, ngrams=2, max_tokens=6, lowercase=True, subwords=5)
ONE_BY_ONE = st.lists(st.text(alphabet="abc xyz'.,é", max_size=40), max_size=8)


def ids_of(text: str, tokenizer: NgramTokenizer = NGRAMS) -> list[int]:
    return tokenizer.encode([text])[0].tolist()


def test_a_text_gives_its_words_and_then_its_pairs() -> None:
    assert len(ids_of("We never sleep.")) == 3 + 2
    assert ids_of("We never sleep.")[:2] == ids_of("we NEVER")[:2]


def test_the_order_of_words_changes_the_pairs_but_not_the_words() -> None:
    one, other = ids_of("not happy but sad"), ids_of("not sad but happy")
    assert sorted(one[:4]) == sorted(other[:4])
    assert sorted(one[4:]) != sorted(other[4:])


@given(ONE_BY_ONE, st.sampled_from([NGRAMS, PIECES]))
def test_many_texts_at_once_give_what_each_gives_alone(texts: list[str], tokenizer: NgramTokenizer) -> None:
    ids, lengths, _ = tokenizer.encode(texts)
    together = [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])] if texts else []
    assert together == [ids_of(text, tokenizer) for text in texts]


def test_a_word_has_the_pieces_of_three_to_five_letters_with_its_borders() -> None:
    pieces, each = pieces_of(["sad", "so", "sad"], 5)
    assert each.tolist() == [3 + 2 + 1, 2 + 1, 3 + 2 + 1]  # <sa sad ad> <sad sad> <sad>, <so so> <so>
    assert len(set(pieces.tolist())) == 6 + 3
    assert pieces[:6].tolist() == pieces[9:].tolist()


def test_words_that_share_a_stem_share_pieces_and_no_word() -> None:
    one, other = (set(ids_of(word, PIECES)) for word in ("hopeless", "hopeful"))
    shared = one & other  # <ho hop ope, <hop hope, <hope
    assert len(shared) == 6
    assert not set(ids_of("hopeless")) & set(ids_of("hopeful"))


def test_a_tokenizer_saved_before_there_were_pieces_has_none(tmp_path: Path) -> None:
    old = '{"buckets": 1000, "ngrams": 2, "max_tokens": 6, "lowercase": true}'
    (tmp_path / "ngrams.json").write_text(old, encoding="utf-8")
    assert NgramTokenizer.from_pretrained(tmp_path) == NGRAMS


def test_ids_are_the_same_on_every_machine() -> None:
    assert ids_of("calm today") == [553, 688, 761]


def test_ids_never_pad_and_stay_in_their_buckets() -> None:
    small = NgramTokenizer(buckets=3, ngrams=3, max_tokens=100, lowercase=True)
    ids = ids_of(" ".join(str(number) for number in range(10, 100)), small)
    assert set(ids) == {1, 2}
    assert len(ids) == 90 + 89 + 88


def test_a_text_without_words_gives_no_ids() -> None:
    _, lengths, cut = NGRAMS.encode(["", "one two three four five six seven"])
    assert (lengths.tolist(), cut) == ([0, 6 + 5], [1])


def test_the_tokenizer_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    NGRAMS.save_pretrained(tmp_path)
    assert NgramTokenizer.from_pretrained(tmp_path) == NGRAMS
