from __future__ import annotations

import pytest
import torch

from mhc.model.fast_bert.dropout import DropoutPool


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("dropout_p", [0.1, 0.5])
def test_pool_drops_with_its_probability_and_scales_the_rest(dtype: torch.dtype, dropout_p: float) -> None:
    torch.manual_seed(0)
    like = torch.zeros(1000, 256, dtype=dtype)
    mask = DropoutPool(like, dropout_p).take(like)
    assert mask.shape == like.shape
    assert float((mask == 0).float().mean()) == pytest.approx(dropout_p, abs=4e-3)
    assert mask.unique().tolist() == [0.0, float(torch.tensor(1 / (1 - dropout_p), dtype=dtype))]


def test_two_layers_get_different_masks_of_one_pool() -> None:
    torch.manual_seed(0)
    like = torch.zeros(100, 64)
    pool = DropoutPool(like, 0.5)
    first, second = pool.take(like) != 0, pool.take(like) != 0
    assert float((first == second).float().mean()) == pytest.approx(0.5, abs=0.05)
