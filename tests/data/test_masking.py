"""What identifies a person is masked, the same way in training, in use and without mhc."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, BertTokenizer

from mhc.data import masking, tokenizer
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
    "1234567",
    "2024-12-24",
    "0",
    "000",
    "€",
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
        ("écrire à zoé.çelik@exämple.org, @ñandú_٣ ou मीरा@उदाहरण.भारत", "écrire à [EMAIL], [USER] ou [EMAIL]"),
        ("and/or 3.5 mg in 2024 for 12-14 days. So it ends.The rest", None),
        ("I feel @ home, 50/50, 10:30 and 1,000,000", None),
    ],
)
def test_text_is_masked(text: str, masked: str | None) -> None:
    assert mask(text) == (text if masked is None else masked)


NUMBERS = [
    "+5551234",
    "+49 171 1234567",
    "(+49) 171 1234567",
    "0049 171 1234567",
    "0171/1234567",
    "01 23 45 67 89",
    "0551234",
    "555-1234",
    "(555) 123 4567",
    "1-800-555-1234",
    "612 345 678",
    "9123 4567",
    "123456789",
    "4111 1111 1111 1111",
    "2024 0171 1234567",
    "24.12.2024 0171 1234567",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_phone_number_is_masked_whole(number: str) -> None:
    assert mask(f"call {number}, or not") == "call [PHONE], or not"


OTHER_NUMBERS = [
    "1234567",
    "20241224",
    "(12345678)",
    "2024-12-24",
    "24.12.2024",
    "12/24/2024 18:00",
    "2019-2024",
    "1990 - 1995",
    "1 000 000",
    "12.500.000",
    "2.450.300 €",
    "$1500000000",
    "£ 2.450.300",
    "3.14159265",
    "0.12345678",
    "1500-2000",
    "1 2 3 4 5 6 7 8 9 10",
    "2024",
    "555123",
]


@pytest.mark.parametrize("number", OTHER_NUMBERS)
def test_other_number_is_not_masked(number: str) -> None:
    assert mask(f"it is {number}, or not") == f"it is {number}, or not"
    assert masking_tokenizer().normalizer.normalize_str(f"{number}, or") == f"{number}, or"


def of_category(*categories: str) -> list[str]:
    characters = map(chr, range(0x20000))
    return [each for each in characters if unicodedata.category(each) in categories]


def test_letters_of_all_scripts_are_parts_of_words() -> None:
    word = re.compile(masking.W)
    missing = [each for each in of_category("Lu", "Ll", "Lt", "Lo", "Lm", "Mn", "Mc", "Nd") if not word.match(each)]
    assert [each for each in missing if each != "\ufe36" and not each.isspace()] == []
    assert [each for each in of_category("Zs", "Zl", "Zp", "Cc", "Sc") if word.match(each) and each < "\u0700"] == []


def test_digits_of_all_scripts_are_digits() -> None:
    digit = re.compile(f"[{masking.DIGITS}]")
    assert [each for each in of_category("Nd") if each < "\uffff" and not digit.match(each)] == []
    assert all(unicodedata.decimal(zero) == 0 for zero in masking.ZEROS)


def masking_tokenizer() -> Tokenizer:
    result = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    training.mask_first(result)
    return result


CHARACTERS = st.characters(exclude_categories=["Cn", "Cs"])
"""All that are assigned."""


@given(st.lists(st.one_of(CHARACTERS, st.sampled_from(PIECES)), max_size=20).map("".join))
def test_masked_text_has_nothing_left_to_mask(text: str) -> None:
    masked = mask(normalise(text))
    assert mask(masked) == masked
    assert normalise(masked) == masked
    assert masking_tokenizer().normalizer.normalize_str(normalise(text)) == masked


def test_masking_takes_time_in_proportion_to_the_text() -> None:
    for piece in ("w", "1", "1 ", "1-", "0.", "+1", "1 2 3 ", "$1", "a.", "a@", "a-", "http", "u/"):
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
