"""Batches hold every row once, within the budget; precision and device are checked."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mhc.errors import BadConfig
from mhc.model.scoring import MOST_ROWS, Scorer, batches

LENGTHS = st.lists(st.integers(0, 300), max_size=80)


@given(LENGTHS, st.integers(1, 2000))
def test_every_row_is_in_one_batch_and_batches_keep_to_the_budget(lengths, budget):
    found = list(batches(np.array(lengths, np.int64), budget))
    assert sorted(row for rows in found for row in rows.tolist()) == list(range(len(lengths)))
    for rows in found:
        of_batch = [lengths[row] for row in rows]
        assert of_batch == sorted(of_batch, reverse=True)
        assert len(rows) == 1 or len(rows) * of_batch[0] <= budget
        assert len(rows) <= MOST_ROWS


def test_batches_of_real_lengths_have_hardly_any_padding():
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
def test_an_option_that_does_not_exist_is_said_so(options, sentence):
    with pytest.raises(BadConfig, match=sentence):
        Scorer(torch.nn.Identity(), pad_id=0, masked=True, **options)
