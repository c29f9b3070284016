"""Normalised texts and dropped rows."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhc.data.cleaning import Rows, clean, normalise
from mhc.data.options import Cleaning


def rows_of(*pairs: tuple[str, str]) -> Rows:
    return Rows(texts=[text for text, _ in pairs], labels=[label for _, label in pairs])


@pytest.mark.parametrize(
    ("raw", "clean_text"),
    [
        ("  two   words\n", "two words"),
        ("cafe\u0301", "café"),
        ("zero\u200bwidth \ufeffmark", "zerowidth mark"),
        ("bell\x07 and nul\x00", "bell and nul"),
        ("line\u2028break\x85here", "line break here"),
        ("\u202eturned round", "turned round"),
        ("half \ud83d of an emoji", "half \ufffd of an emoji"),
        ("👩\u200d👩\u200d👧 family", "👩\u200d👩\u200d👧 family"),
        ("\u200b \t", ""),
    ],
    ids=["blanks", "accents", "zero width", "control", "line breaks", "direction", "surrogate", "joiner", "nothing"],
)
def test_text_is_normalised(raw: str, clean_text: str) -> None:
    assert normalise(raw) == clean_text


@given(st.text())
def test_normalisation_is_idempotent_and_encodable(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once.encode().decode() == once


def test_empty_texts_are_dropped_from_all_splits(cleaning: Cleaning) -> None:
    train, val = rows_of(("a", "x"), ("", "x")), rows_of(("", "y"), ("b", "y"))
    result, dropped = clean({"train": train, "val": val}, cleaning)
    assert (result["train"].texts, result["val"].texts) == (["a"], ["b"])
    assert dropped["empty_texts"] == 2


def test_duplicates_are_dropped_from_train_only(cleaning: Cleaning) -> None:
    train, test = rows_of(("a", "x"), ("A", "x"), ("c", "y")), rows_of(("b", "y"), ("b", "y"))
    result, dropped = clean({"train": train, "test": test}, cleaning)
    assert result["train"].texts == ["a", "c"]
    assert result["test"].texts == ["b", "b"]
    assert dropped["duplicates_in_train"] == 1


def test_text_with_two_labels_is_dropped_from_train(cleaning: Cleaning) -> None:
    result, dropped = clean({"train": rows_of(("a", "x"), ("a", "y"), ("a", "x"), ("b", "y"))}, cleaning)
    assert result["train"].texts == ["b"]
    assert (dropped["duplicates_in_train"], dropped["conflicting_in_train"]) == (1, 2)


def test_text_with_two_labels_can_be_kept_once_per_label(cleaning: Cleaning) -> None:
    options = msgspec.structs.replace(cleaning, conflicting="keep")
    result, dropped = clean({"train": rows_of(("a", "x"), ("a", "y"), ("a", "x"))}, options)
    assert result["train"] == rows_of(("a", "x"), ("a", "y"))
    assert dropped["conflicting_in_train"] == 0


def test_text_shared_with_val_or_test_is_dropped_from_train(cleaning: Cleaning) -> None:
    splits = {
        "train": rows_of(("a", "x"), ("b", "x"), ("c", "y")),
        "val": rows_of(("b", "y")),
        "test": rows_of(("c", "y")),
    }
    result, dropped = clean(splits, cleaning)
    assert {name: part.texts for name, part in result.items()} == {"train": ["a"], "val": ["b"], "test": ["c"]}
    assert dropped == Counter(
        empty_texts=0, duplicates_in_train=0, conflicting_in_train=0, train_texts_in_val=1, train_texts_in_test=1
    )
