"""Cuts of missing splits."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mhc.data.cleaning import Rows
from mhc.data.options import Splitting
from mhc.data.splits import cut_missing, take_share

SPLITTING = Splitting(val=0.2, test=0.2, salt="mhc", train_fraction=1.0, max_train_rows=None)


def make_rows(count: int, groups: int | None = None) -> Rows:
    return Rows(
        texts=[f"text {row}" for row in range(count)],
        labels=["rare" if row % 10 == 0 else "common" for row in range(count)],
        groups=None if groups is None else [f"author {row % groups}" for row in range(count)],
    )


def test_missing_splits_are_cut_stratified(splitting: Splitting) -> None:
    splits, origins = cut_missing({"train": make_rows(500)}, splitting)
    assert {name: Counter(rows.labels) for name, rows in splits.items()} == {
        "train": {"common": 270, "rare": 30},
        "val": {"common": 90, "rare": 10},
        "test": {"common": 90, "rare": 10},
    }
    assert origins == {
        "train": "given",
        "test": "cut from train by hash of text",
        "val": "cut from train by hash of text",
    }


def test_given_split_is_unchanged(splitting: Splitting) -> None:
    given_test = Rows(texts=["x"], labels=["rare"])
    splits, origins = cut_missing({"train": make_rows(100), "test": given_test}, splitting)
    assert splits["test"] is given_test
    assert origins["test"] == "given"
    assert len(splits["val"]) == 20


def test_share_of_zero_cuts_nothing(splitting: Splitting) -> None:
    splits, _ = cut_missing({"train": make_rows(100)}, msgspec.structs.replace(splitting, test=0.0))
    assert list(splits) == ["train", "val"]


@given(st.randoms(use_true_random=False))
def test_cut_does_not_depend_on_the_order_of_the_rows(shuffler: random.Random) -> None:
    table = make_rows(60)
    order = list(range(60))
    shuffler.shuffle(order)
    expected, _ = cut_missing({"train": table}, SPLITTING)
    splits, _ = cut_missing({"train": table.take(order)}, SPLITTING)
    assert {name: sorted(rows.texts) for name, rows in splits.items()} == {
        name: sorted(rows.texts) for name, rows in expected.items()
    }


def test_another_salt_gives_another_cut(splitting: Splitting) -> None:
    first, _ = cut_missing({"train": make_rows(100)}, splitting)
    second, _ = cut_missing({"train": make_rows(100)}, msgspec.structs.replace(splitting, salt="else"))
    assert first["val"].texts != second["val"].texts


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from("xyz")), min_size=5, max_size=60))
def test_no_author_is_in_two_splits(posts: list[tuple[int, str]]) -> None:
    rows = Rows(
        texts=[f"text {number}" for number in range(len(posts))],
        labels=[label for _, label in posts],
        groups=[f"author {author}" if author else None for author, _ in posts],
    )
    splits, _ = cut_missing({"train": rows}, SPLITTING)
    authors = [{author for author in part.groups or [] if author} for part in splits.values()]
    assert sum(map(len, authors)) == len(set.union(*authors))
    assert sum(map(len, splits.values())) == len(posts)


def test_share_is_approximate_with_authors(splitting: Splitting) -> None:
    splits, origins = cut_missing({"train": make_rows(1000, groups=100)}, splitting)
    assert 150 <= len(splits["test"]) <= 250
    assert origins["test"] == "cut from train by hash of group"


def test_train_has_a_row_of_every_label_after_the_cut(splitting: Splitting) -> None:
    rows = Rows(texts=list("abcd"), labels=["x", "x", "y", "y"])
    splits, _ = cut_missing({"train": rows}, msgspec.structs.replace(splitting, val=0.45, test=0.45))
    assert set(splits["train"].labels) == {"x", "y"}


def test_share_of_train_is_stratified_and_returned(splitting: Splitting) -> None:
    used, share = take_share(make_rows(1000), msgspec.structs.replace(splitting, train_fraction=0.1))
    assert (len(used), share) == (100, 0.1)
    assert Counter(used.labels) == {"common": 90, "rare": 10}


def test_number_of_train_rows_can_be_limited(splitting: Splitting) -> None:
    used, share = take_share(make_rows(1000), msgspec.structs.replace(splitting, max_train_rows=50))
    assert (len(used), share) == (50, 0.05)


def test_tiny_share_of_train_has_every_label(splitting: Splitting) -> None:
    used, _ = take_share(make_rows(1000), msgspec.structs.replace(splitting, max_train_rows=2))
    assert set(used.labels) == {"common", "rare"}
