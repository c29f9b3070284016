"""What identifies a person is masked, the same way in training, in use and without mhc."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, BertTokenizer

from mhc.data import tokenizer
from mhc.data import tokenizer_training as training
from mhc.data.cleaning import normalise
from mhc.data.datamodule import TextDataModule
from mhc.data.masking import MARKS, mask
from mhc.data.options import Tokenizing
from mhc.data.tokenizer import Encoder
from tests.data.conftest import some_rows, write_csv

Make = Callable[..., TextDataModule]

PIECES = [
    "www.",
    "http://",
    "com",
    ".com",
    "/",
    "a",
    "é",
    "1",
    "123456",
    "@",
    "u/",
    "-",
    ".",
    "+",
    "(",
    ")",
    " ",
    *MARKS,
]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ana.b@example.org, please", "write to [EMAIL], please"),
        ("ana@b@example.org or ana@work", "[EMAIL] or [EMAIL]"),
        ("call +49 (0)171 123-4567.", "call [PHONE]."),
        ("555-1234 or (555) 123\u20134567", "[PHONE] or [PHONE]"),
        ("see https://example.org/a?b=c@d and www.example.org/x", "see [URL] and [URL]"),
        ("on reddit.com, or a.example.co.uk/b.", "on [URL], or [URL]"),
        ("ask @ana_b. or /u/ana-b or u/ana", "ask [USER]. or [USER] or [USER]"),
        ("٠١٢٣٤٥٦٧٨٩", "[PHONE]"),
        ("and/or 3.5 mg in 2024 for 12-14 days. So it ends.The rest", None),
        ("I feel @ home, 50/50, 10:30 and 1,000,000", None),
    ],
)
def test_text_is_masked(text: str, masked: str | None) -> None:
    assert mask(text) == (text if masked is None else masked)


def masking_tokenizer() -> Tokenizer:
    result = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    training.mask_first(result)
    return result


ALPHABET = st.characters(exclude_categories=["No", "Nl", "Mn", "Mc", "Me", "Pc", "Cs"])
"""Without the categories that only one of Python's `re` and the library `tokenizers` counts as parts of words."""


@given(st.one_of(st.text(ALPHABET), st.lists(st.sampled_from(PIECES), max_size=14).map("".join)))
def test_masked_text_has_nothing_left_to_mask(text: str) -> None:
    masked = mask(normalise(text))
    assert mask(masked) == masked
    assert normalise(masked) == masked
    assert masking_tokenizer().normalizer.normalize_str(normalise(text)) == masked


def test_masking_takes_time_in_proportion_to_the_text() -> None:
    for piece in ("w", "1", "a.", "a@", "a-", "http", "u/"):
        text = piece * 200_000 + " @ :// .com 1"
        assert len(mask(text)) <= len(text) + len(MARKS[0])


def options_of(kind: str, **changes: object) -> Tokenizing:
    values = {"vocab_size": 400, "max_tokens": 32, "min_texts": 3, "split_digits": True, **changes}
    return Tokenizing(kind=kind, **values)  # type: ignore[arg-type]


TEXTS = [
    f"the {animal} sleeps, and the {other} runs" for animal in ("cat", "dog", "cow") for other in ("hen", "fox", "ox")
]
RAW = "the cat of ana@example.org runs to https://example.org, says @ana on 555 123 4567"


def encoder_of(folder: Path, kind: str, **changes: object) -> Encoder:
    options = options_of(kind, **changes)
    return Encoder(tokenizer.ensure(options, TEXTS, "abc", folder, mask=True), options.max_tokens)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "ngrams"])
def test_tokenizer_masks_by_itself(tmp_path: Path, kind: str) -> None:
    encoder = encoder_of(tmp_path, kind, min_texts=1)
    assert encoder.masks
    assert np.array_equal(encoder([RAW]).ids, encoder([mask(RAW)]).ids)
    assert encoder([RAW]).lengths[0] != encoder([RAW.replace("@", " ")]).lengths[0]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_transformers_alone_masks_as_mhc_does(tmp_path: Path, kind: str) -> None:
    encoder = encoder_of(tmp_path, kind)
    AutoTokenizer.from_pretrained(encoder.folder).save_pretrained(tmp_path / "again")
    alone = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert alone(RAW)["input_ids"] == encoder([RAW]).ids.tolist()
    ids = alone.convert_tokens_to_ids(list(MARKS))
    assert set(ids) <= set(alone(RAW)["input_ids"])  # each mark is one token
    assert alone(mask(RAW))["input_ids"] == alone(RAW)["input_ids"]


def test_pretrained_tokenizer_masks_after_it_is_saved(tmp_path: Path) -> None:
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "the",
        "cat",
        "runs",
        "[",
        "]",
        "email",
        "url",
        "user",
        "phone",
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "own")
    encoder = encoder_of(tmp_path, "pretrained", name=str(tmp_path / "own"))
    AutoTokenizer.from_pretrained(encoder.folder).save_pretrained(tmp_path / "again")
    alone = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert encoder.masks
    assert alone(RAW)["input_ids"] == encoder([RAW]).ids.tolist() == encoder([mask(RAW)]).ids.tolist()
    assert alone.tokenize("ana@example.org") == ["[", "email", "]"]
    own = AutoTokenizer.from_pretrained(tmp_path / "own")
    assert (alone.pad_token, alone.cls_token, alone.model_input_names) == (
        own.pad_token,
        own.cls_token,
        own.model_input_names,
    )
    assert alone("the cat runs")["input_ids"] == own("the cat runs")["input_ids"]


def test_tokenizer_of_an_older_config_does_not_mask(tmp_path: Path) -> None:
    for kind in ("wordpiece", "bpe", "ngrams"):
        options = Tokenizing(kind=kind, vocab_size=400, max_tokens=32)  # type: ignore[arg-type]
        encoder = Encoder(tokenizer.ensure(options, TEXTS, "abc", tmp_path), 32)
        assert not encoder.masks


def test_name_of_an_older_tokenizer_is_unchanged() -> None:
    old = Tokenizing(kind="wordpiece", vocab_size=400, max_tokens=32)
    assert tokenizer.key(old, "abc") == "wordpiece-c65da72b10c43c6de4b5"
    changed = [options_of("wordpiece", min_texts=1), options_of("wordpiece", split_digits=False)]
    keys = [tokenizer.key(options, "abc") for options in (old, *changed)]
    assert len({*keys, tokenizer.key(old, "abc", mask=True)}) == 4


def vocabulary(folder: Path) -> set[str]:
    content = json.loads((folder / "tokenizer.json").read_bytes())
    return set(content["model"]["vocab"])


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_word_of_two_texts_is_not_in_the_vocabulary(tmp_path: Path, kind: str) -> None:
    texts = [*TEXTS, "hinterzarten " * 9, "in hinterzarten", *(f"schluchsee {number}" for number in range(3))]
    options = options_of(kind, vocab_size=1000, min_frequency=1)
    pieces = vocabulary(tokenizer.ensure(options, texts, "abc", tmp_path))
    space = "" if kind == "wordpiece" else "Ġ"
    assert f"{space}schluchsee" in pieces
    assert not [piece for piece in pieces if "hint" in piece or "zart" in piece]
    kept = vocabulary(
        tokenizer.ensure(options_of(kind, vocab_size=1000, min_frequency=1, min_texts=2), texts, "abc", tmp_path)
    )
    assert f"{space}hinterzarten" in kept


def test_texts_of_one_author_count_as_one(tmp_path: Path) -> None:
    texts = ["hinterzarten one", "hinterzarten two", "hinterzarten three", *TEXTS]
    options = options_of("wordpiece", min_frequency=1)
    for authors, learned in (([7, 7, 7], False), ([7, 8, 7], False), ([7, 8, 9], True), ([-1, -1, 9], True)):
        numbers = np.array([*authors, *range(20, 20 + len(TEXTS))])
        pieces = vocabulary(tokenizer.ensure(options, texts, "abc", tmp_path, numbers))
        assert ("hinterzarten" in pieces) == learned


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_each_digit_is_a_token(tmp_path: Path, kind: str) -> None:
    texts = [f"the year 1984 and room {number}" for number in range(100, 120)]
    options = options_of(kind, vocab_size=1000, min_frequency=1)
    pieces = vocabulary(tokenizer.ensure(options, texts, "abc", tmp_path))
    assert not [piece for piece in pieces if sum(letter.isdigit() for letter in piece) > 1]


def test_rare_ngrams_have_no_weight(tmp_path: Path) -> None:
    texts = ["hinterzarten"] * 2 + TEXTS
    encoder = encoder_of(tmp_path, "ngrams", vocab_size=1 << 18, subwords=5)
    rare = Encoder(tokenizer.ensure(options_of("ngrams", vocab_size=1 << 18), texts, "def", tmp_path), 32)
    assert rare(["hinterzarten"]).lengths.tolist() == [0]
    assert rare(["the cat"]).lengths.tolist() == [3]
    assert encoder(["the"]).lengths.tolist() == [7]  # the word, and <th the he> <the the> <the>


@pytest.mark.parametrize("group", [None, "who"])
def test_corpus_and_facts_say_that_texts_are_masked(make_datamodule: Make, tmp_path: Path, group: str | None) -> None:
    rows = [(f"{text} of ana{row}@example.org", label, f"w{row % 5}") for row, (text, label) in enumerate(some_rows())]
    path = write_csv(tmp_path / "posts.csv", rows, ("text", "label", "who"))
    from mhc.data.sources import Files

    for masked in (True, False):
        datamodule = make_datamodule(source=Files(train=str(path), group=group), cleaning={"mask": masked})
        datamodule.prepare()
        assert datamodule.facts().masked == masked
        assert all(("[EMAIL]" in text) == masked for text in datamodule.normalised_texts("val"))
