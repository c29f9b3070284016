"""Batches contain every row once within the budget; precision and device are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mhc.errors import BadConfig
from mhc.model.scoring import MAX_ROWS, Scorer, batches

LENGTHS = st.lists(st.integers(0, 300), max_size=80)


@given(LENGTHS, st.integers(1, 2000))
def test_batches_contain_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    parts = list(batches(np.array(lengths, np.int64), budget))
    assert sorted(row for rows in parts for row in rows.tolist()) == list(range(len(lengths)))
    for rows in parts:
        in_batch = [lengths[row] for row in rows]
        assert in_batch == sorted(in_batch, reverse=True)
        assert len(rows) == 1 or len(rows) * in_batch[0] <= budget
        assert len(rows) <= MAX_ROWS


def test_batches_of_real_lengths_have_little_padding() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(np.log(66), 0.8, 4000), 4, 256).astype(np.int64)
    padded = sum(len(rows) * lengths[rows[0]] for rows in batches(lengths, 4096))
    assert padded < 1.02 * lengths.sum()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"precision": "fp16"}, "precision=fp16 is none of"),
        ({"device": "tpu"}, "device=tpu is not on this machine"),
        ({"batch_tokens": -1}, "has to be at least 1"),
    ],
    ids=["precision", "device", "batch"],
)
def test_unknown_option_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        Scorer(torch.nn.Identity(), pad_id=0, masked=True, **options)
