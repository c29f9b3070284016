"""Batches of rows: budget, shapes, order and ranks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhc.data import batching

LENGTHS = st.lists(st.integers(0, 300), min_size=1, max_size=200).map(lambda lengths: np.array(lengths, np.int64))


def by_length(lengths: npt.NDArray[np.int64], epoch: int = 0, tokens: int = 512) -> list[npt.NDArray[np.int64]]:
    return batching.by_length(batching.padded(lengths, 8), tokens, 32, batching.generator(1, epoch))


@given(LENGTHS)
def test_every_row_is_in_one_batch(lengths: npt.NDArray[np.int64]) -> None:
    assert np.array_equal(np.sort(np.concatenate(by_length(lengths))), np.arange(len(lengths)))


@given(LENGTHS)
def test_batch_exceeds_its_budget_only_if_it_is_one_text(lengths: npt.NDArray[np.int64]) -> None:
    wide = batching.padded(lengths, 8)
    for rows in by_length(lengths):
        assert len(rows) <= 32
        assert len(rows) == 1 or len(rows) * wide[rows].max() <= 512


@given(LENGTHS, st.integers(1, 9))
def test_every_epoch_has_the_same_shapes(lengths: npt.NDArray[np.int64], epoch: int) -> None:
    wide = batching.padded(lengths, 8)
    shapes = [sorted((len(rows), wide[rows].max()) for rows in by_length(lengths, number)) for number in (0, epoch)]
    assert shapes[0] == shapes[1]


def test_order_depends_on_the_epoch_and_the_seed() -> None:
    lengths = np.full(100, 8)
    first, second = (np.concatenate(by_length(lengths, epoch)) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, np.concatenate(by_length(lengths, 0)))


def test_bucketing_needs_much_less_padding_than_mixing() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(np.log(66), 0.8, 4000), 4, 256).astype(np.int64)
    wide = batching.padded(lengths, 8)

    def share_of_real(batches: list[npt.NDArray[np.int64]]) -> float:
        return float(lengths.sum() / sum(len(rows) * wide[rows].max() for rows in batches))

    arguments = (wide, 4096, 128, batching.generator(0, 0))
    assert share_of_real(batching.by_length(*arguments)) > 0.93
    assert share_of_real(batching.mixed(*arguments)) < 0.45
    assert len(batching.by_length(*arguments)) == len(batching.mixed(*arguments))


@given(LENGTHS, st.integers(1, 5))
def test_ranks_share_all_rows_in_equally_many_batches(lengths: npt.NDArray[np.int64], ranks: int) -> None:
    batches = by_length(lengths)
    shares = [batching.share_of(batches, rank, ranks) for rank in range(ranks)]
    assert len({len(share) for share in shares}) == 1
    assert set(np.concatenate([rows for share in shares for rows in share]).tolist()) == set(range(len(lengths)))


@pytest.mark.parametrize(("multiple", "expected"), [(1, [1, 3, 8, 9]), (8, [8, 8, 8, 16])])
def test_lengths_are_padded_up_to_a_multiple(multiple: int, expected: list[int]) -> None:
    assert batching.padded(np.array([0, 3, 8, 9]), multiple).tolist() == expected


def test_padded_lengths_give_few_batch_shapes() -> None:
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(4.2, 0.8, 20_000).astype(np.int64), 3, 256)

    def shapes(multiple: int) -> int:
        rounded = batching.padded(lengths, multiple)
        return len({(len(rows), int(rounded[rows].max())) for rows in batching.by_length(rounded, 4096, 128, None)})

    assert shapes(8) < 60  # oneDNN caches 1,024 primitives, and a step needs about thirty for each new shape
    assert shapes(1) > 150
