from __future__ import annotations

import pytest
import torch

from mhc.model.fast_bert.dropout import DropoutPool


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_pool_drops_the_share_that_was_asked_for_and_scales_the_rest(kind: torch.dtype, share: float) -> None:
    torch.manual_seed(0)
    like = torch.zeros(1000, 256, dtype=kind)
    mask = DropoutPool(like, share).take(like)
    assert mask.shape == like.shape
    assert float((mask == 0).float().mean()) == pytest.approx(share, abs=4e-3)
    assert mask.unique().tolist() == [0.0, float(torch.tensor(1 / (1 - share), dtype=kind))]


def test_two_layers_get_different_masks_of_one_pool() -> None:
    torch.manual_seed(0)
    like = torch.zeros(100, 64)
    pool = DropoutPool(like, 0.5)
    first, second = pool.take(like) != 0, pool.take(like) != 0
    assert float((first == second).float().mean()) == pytest.approx(0.5, abs=0.05)
