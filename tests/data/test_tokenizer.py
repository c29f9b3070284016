"""Texts to ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from mhc.data import tokenizer
from mhc.data.ngrams import NgramTokenizer
from mhc.data.options import Tokenizing
from mhc.data.tokenizer import Encoder
from mhc.errors import BadConfig, NotFound, Unreadable

TEXTS = [f"the {animal} sleeps and the {other} runs" for animal in ("cat", "dog", "cow") for other in ("hen", "fox")]


def options_of(kind: str, **changes: object) -> Tokenizing:
    values = {"vocab_size": 400, "max_tokens": 12, "min_frequency": 1, **changes}
    return Tokenizing(kind=kind, **values)  # type: ignore[arg-type]


def an_encoder(cache: Path, kind: str, **changes: object) -> Encoder:
    options = options_of(kind, **changes)
    return Encoder(tokenizer.ensure(options, TEXTS, "abc", cache), options.max_tokens)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_a_trained_tokenizer_reads_the_same_through_transformers(tmp_path: Path, kind: str) -> None:
    encoder = an_encoder(tmp_path, kind)
    encoded = encoder(TEXTS)
    whole = tokenizer.load(encoder.folder)
    theirs = whole(TEXTS, truncation=True, max_length=12)["input_ids"]  # type: ignore[operator]
    assert [ids.tolist() for ids in np.split(encoded.ids, np.cumsum(encoded.lengths)[:-1])] == theirs
    assert (len(whole), whole.pad_token_id) == (encoder.vocab_size, encoder.pad_id)
    assert encoded.truncated == 0


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "ngrams"])
def test_training_a_tokenizer_twice_gives_the_same_ids(tmp_path: Path, kind: str) -> None:
    first, second = an_encoder(tmp_path / "a", kind)(TEXTS), an_encoder(tmp_path / "b", kind)(TEXTS)
    assert np.array_equal(first.ids, second.ids)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "ngrams"])
def test_a_long_text_is_cut_and_counted_one_that_just_fits_is_not(tmp_path: Path, kind: str) -> None:
    encoder = an_encoder(tmp_path, kind, ngrams=1)
    frame = 0 if kind == "ngrams" else 2
    encoded = encoder([" ".join(["the"] * words) for words in (1, 12 - frame, 13 - frame, 5000)])
    assert encoded.lengths.tolist() == [1 + frame, 12, 12, 12]
    assert encoded.truncated == 2


def test_a_cut_text_keeps_its_frame(tmp_path: Path) -> None:
    encoder = an_encoder(tmp_path, "wordpiece")
    ids = encoder(["cat " * 100]).ids
    pieces = Tokenizer.from_file(str(encoder.folder / "tokenizer.json"))
    assert (ids[0], ids[-1]) == (pieces.token_to_id("[CLS]"), pieces.token_to_id("[SEP]"))


def test_an_empty_list_of_texts_gives_no_ids(tmp_path: Path) -> None:
    for kind in ("wordpiece", "ngrams"):
        encoded = an_encoder(tmp_path, kind)([])
        assert (len(encoded.ids), len(encoded.lengths)) == (0, 0)


def test_words_that_train_never_had_are_unknown_not_lost(tmp_path: Path) -> None:
    encoder = an_encoder(tmp_path, "wordpiece")
    assert encoder(["Ω"]).lengths.tolist() == [3]
    assert an_encoder(tmp_path, "bpe")(["Ω"]).lengths.tolist()[0] > 3


def test_a_pretrained_tokenizer_comes_from_its_folder(tmp_path: Path) -> None:
    home = an_encoder(tmp_path, "wordpiece")
    other = an_encoder(tmp_path / "other", "pretrained", name=str(home.folder))
    assert np.array_equal(other(TEXTS).ids, home(TEXTS).ids)
    assert (other.pad_id, other.vocab_size) == (home.pad_id, home.vocab_size)


def test_the_tokenizer_is_trained_again_only_when_texts_or_options_change(tmp_path: Path) -> None:
    options = options_of("wordpiece")
    keys = {
        tokenizer.key(options, "abc"),
        tokenizer.key(options, "abc"),
        tokenizer.key(options, "other texts"),
        tokenizer.key(options_of("wordpiece", lowercase=False), "abc"),
    }
    assert len(keys) == 3
    assert tokenizer.key(options_of("ngrams"), "abc") == tokenizer.key(options_of("ngrams"), "other texts")


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "ngrams"])
def test_a_vocabulary_without_a_size_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(BadConfig, match=r"model\.tokenizer\.vocab_size is None"):
        an_encoder(tmp_path, kind, vocab_size=None)


def test_a_pretrained_tokenizer_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"model\.tokenizer\.name is missing"):
        an_encoder(tmp_path, "pretrained")


def test_a_pretrained_tokenizer_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="could not be loaded"):
        an_encoder(tmp_path, "pretrained", name=str(tmp_path / "empty"))


def test_a_damaged_tokenizer_says_so(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(Unreadable, match=r"tokenizer\.json is not a tokenizer"):
        Encoder(tmp_path, 12)
    (tmp_path / "ngrams.json").write_text('{"buckets": 5}', encoding="utf-8")
    with pytest.raises(Unreadable, match="is no n-gram tokenizer"):
        NgramTokenizer.from_pretrained(tmp_path)
