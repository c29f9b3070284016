"""Copies between splits are found, and nothing else is called a copy."""

import random
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhc.data import leakage
from mhc.errors import BadConfig

WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in "rstvz"]


def a_text(rng, words=40):
    return " ".join(rng.choice(WORDS) for _ in range(words))


def reworded(rng, text, changes=1):
    words = text.split()
    for place in rng.sample(range(len(words)), changes):
        words[place] = "other"
    return " ".join(words)


def brute_force(train, other, threshold):
    def pairs(text):
        words = ["", *text.lower().split(), ""]
        return set(pairwise(words))

    def close(a, b):
        return len(a & b) / len(a | b) >= threshold

    sets = [pairs(text) for text in train]
    return [row for row, text in enumerate(other) if any(close(pairs(text), each) for each in sets)]


def test_planted_near_copies_are_all_found():
    rng = random.Random(1)
    train = [a_text(rng) for _ in range(2000)]
    fresh = [a_text(rng) for _ in range(300)]
    planted = [reworded(rng, train[row], changes=2) for row in range(0, 2000, 10)]
    assert leakage.near_duplicates(train, fresh + planted, 0.8).tolist() == list(range(300, 500))


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 1.0])
def test_what_is_found_is_what_comparing_every_pair_finds(threshold):
    rng = random.Random(2)
    train = [a_text(rng, rng.randint(1, 40)) for _ in range(150)]
    other = [reworded(rng, text, rng.randint(0, min(6, len(text.split())))) for text in train]
    found = leakage.near_duplicates(train, other, threshold).tolist()
    wanted = brute_force(train, other, threshold)
    assert set(found) <= set(wanted)
    assert len(found) >= 0.98 * len(wanted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12), st.lists(st.text(max_size=30), max_size=12))
def test_every_exact_copy_is_a_near_copy_whatever_the_texts(train, other):
    exact = {row for row, text in enumerate(other) if text in train}
    assert exact <= set(leakage.near_duplicates(train, other, 0.8).tolist())


def test_case_and_punctuation_make_no_difference():
    train = ["I could not sleep at all, again. What now?"]
    assert leakage.near_duplicates(train, ["i could NOT sleep at all again what now"], 1.0).tolist() == [0]


def test_the_same_words_in_another_order_are_no_copy():
    rng = random.Random(3)
    text = a_text(rng)
    shuffled = text.split()
    rng.shuffle(shuffled)
    assert leakage.near_duplicates([text], [" ".join(shuffled)], 0.8).tolist() == []


def test_equal_texts_in_the_other_split_are_all_named():
    assert leakage.near_duplicates(["one two three"], ["four", "one two three", "one two three"], 0.8).tolist() == [
        1,
        2,
    ]


def test_chunks_of_train_change_nothing(monkeypatch):
    rng = random.Random(4)
    train = [a_text(rng) for _ in range(100)]
    other = [reworded(rng, text) for text in train[::3]] + [a_text(rng) for _ in range(10)]
    whole = leakage.near_duplicates(train, other, 0.8).tolist()
    monkeypatch.setattr(leakage, "_CHUNK", 7)
    assert leakage.near_duplicates(train, other, 0.8).tolist() == whole == list(range(34))


def test_nothing_against_nothing_is_nothing():
    assert leakage.near_duplicates([], ["a"], 0.8).tolist() == []
    assert leakage.near_duplicates(["a"], [], 0.8).tolist() == []


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01])
def test_a_threshold_that_is_none_is_refused(threshold):
    with pytest.raises(BadConfig, match="has to be above 0 and at most 1"):
        leakage.near_duplicates(["a"], ["a"], threshold)


def test_the_hashing_misses_at_most_one_in_a_thousand_at_the_threshold():
    for threshold in np.linspace(0.3, 1.0, 30):
        count, rows = leakage.bands(float(threshold))
        assert count * rows <= leakage.PERMUTATIONS
        assert (1 - threshold**rows) ** count <= leakage.MISSED


def test_authors_on_both_sides_are_counted_once():
    assert leakage.shared_groups(["ann", "ann", "bob"], ["bob", "ann", "ann", "eve"]) == 2


@pytest.mark.slow
def test_forty_thousand_texts_take_less_than_half_a_minute():
    rng = random.Random(5)
    train = [a_text(rng, 30) for _ in range(32_000)]
    other = [a_text(rng, 30) for _ in range(8_000)]
    started = time.process_time()
    leakage.near_duplicates(train, other, 0.8)
    assert time.process_time() - started < 30
