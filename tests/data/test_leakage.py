"""Near copies between splits are found, without false positives."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhc.data import leakage
from mhc.errors import BadConfig

WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in "rstvz"]


def random_text(rng: random.Random, words: int = 40) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def reworded(rng: random.Random, text: str, changes: int = 1) -> str:
    words = text.split()
    for position in rng.sample(range(len(words)), changes):
        words[position] = "other"
    return " ".join(words)


def brute_force(train: Sequence[str], other: Sequence[str], threshold: float) -> list[int]:
    def pairs(text: str) -> set[tuple[str, str]]:
        words = ["", *text.lower().split(), ""]
        return set(pairwise(words))

    def similar(first: set[tuple[str, str]], second: set[tuple[str, str]]) -> bool:
        return len(first & second) / len(first | second) >= threshold

    sets = [pairs(text) for text in train]
    return [row for row, text in enumerate(other) if any(similar(pairs(text), train_pairs) for train_pairs in sets)]


def test_planted_near_copies_are_all_found() -> None:
    rng = random.Random(1)
    train = [random_text(rng) for _ in range(2000)]
    fresh = [random_text(rng) for _ in range(300)]
    planted = [reworded(rng, train[row], changes=2) for row in range(0, 2000, 10)]
    assert leakage.near_duplicates(train, fresh + planted, 0.8).tolist() == list(range(300, 500))


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 1.0])
def test_near_copies_are_those_of_comparing_every_pair(threshold: float) -> None:
    rng = random.Random(2)
    train = [random_text(rng, rng.randint(1, 40)) for _ in range(150)]
    other = [reworded(rng, text, rng.randint(0, min(6, len(text.split())))) for text in train]
    copies = leakage.near_duplicates(train, other, threshold).tolist()
    expected = brute_force(train, other, threshold)
    assert set(copies) <= set(expected)
    assert len(copies) >= 0.98 * len(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12), st.lists(st.text(max_size=30), max_size=12))
def test_every_exact_copy_is_a_near_copy(train: list[str], other: list[str]) -> None:
    exact = {row for row, text in enumerate(other) if text in train}
    assert exact <= set(leakage.near_duplicates(train, other, 0.8).tolist())


def test_case_and_punctuation_make_no_difference() -> None:
    train = ["I could not sleep at all, again. What now?"]
    assert leakage.near_duplicates(train, ["i could NOT sleep at all again what now"], 1.0).tolist() == [0]


def test_same_words_in_another_order_are_not_a_copy() -> None:
    rng = random.Random(3)
    text = random_text(rng)
    shuffled = text.split()
    rng.shuffle(shuffled)
    assert leakage.near_duplicates([text], [" ".join(shuffled)], 0.8).tolist() == []


def test_all_equal_texts_of_the_other_split_are_copies() -> None:
    assert leakage.near_duplicates(["one two three"], ["four", "one two three", "one two three"], 0.8).tolist() == [
        1,
        2,
    ]


def test_result_does_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    train = [random_text(rng) for _ in range(100)]
    other = [reworded(rng, text) for text in train[::3]] + [random_text(rng) for _ in range(10)]
    whole = leakage.near_duplicates(train, other, 0.8).tolist()
    monkeypatch.setattr(leakage, "_CHUNK", 7)
    assert leakage.near_duplicates(train, other, 0.8).tolist() == whole == list(range(34))


ALPHABETS = {
    "Japanese": (0x3042, 0x3090),
    "Chinese": (0x4E00, 0x4F00),
    "Thai": (0x0E01, 0x0E2E),
    "Korean": (0xAC00, 0xAD00),
    "Khmer": (0x1780, 0x17A2),
    "not listed": (0x12000, 0x12100),
}


@pytest.mark.parametrize("language", ALPHABETS)
def test_near_copies_are_found_in_every_script(language: str) -> None:
    rng = random.Random(6)
    train, strangers = (
        ["".join(chr(rng.randint(*ALPHABETS[language])) for _ in range(40)) for _ in range(20)] for _ in range(2)
    )
    end = chr(ALPHABETS[language][0])
    other = [text + end + end for text in train] + strangers
    assert leakage.near_duplicates(train, other, 0.8).tolist() == list(range(20))


def test_empty_split_has_no_near_copies() -> None:
    assert leakage.near_duplicates([], ["a"], 0.8).tolist() == []
    assert leakage.near_duplicates(["a"], [], 0.8).tolist() == []


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01])
def test_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(BadConfig, match="has to be above 0 and at most 1"):
        leakage.near_duplicates(["a"], ["a"], threshold)


def test_hashing_misses_at_most_one_in_a_thousand() -> None:
    for threshold in np.linspace(0.3, 1.0, 30):
        count, rows = leakage.bands(float(threshold))
        assert count * rows <= leakage.PERMUTATIONS
        assert (1 - threshold**rows) ** count <= leakage.MISSED


@pytest.mark.slow
def test_forty_thousand_texts_take_less_than_half_a_minute() -> None:
    rng = random.Random(5)
    train = [random_text(rng, 30) for _ in range(32_000)]
    other = [random_text(rng, 30) for _ in range(8_000)]
    start = time.process_time()
    leakage.near_duplicates(train, other, 0.8)
    assert time.process_time() - start < 30
