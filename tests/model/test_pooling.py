from __future__ import annotations

import pytest
import torch

from mhc.model.pooling import POOLINGS

HIDDEN = torch.tensor([[[1.0, -2.0], [3.0, -4.0], [90.0, 90.0]], [[80.0, 80.0], [5.0, -6.0], [7.0, -1.0]]])
MASK = torch.tensor([[1, 1, 0], [0, 1, 1]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [[2.0, -3.0], [6.0, -3.5]]),
        ("cls", [[1.0, -2.0], [5.0, -6.0]]),
        ("max", [[3.0, -2.0], [7.0, -1.0]]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_padding_on_either_side_is_not_read(name: str, expected: list[list[float]], dtype: torch.dtype) -> None:
    pooled = POOLINGS[name](HIDDEN.to(dtype), MASK)
    assert pooled.dtype == dtype
    assert pooled.tolist() == expected


@pytest.mark.parametrize("name", ["mean", "max"])
def test_row_without_a_token_is_0(name: str) -> None:
    assert POOLINGS[name](HIDDEN, torch.zeros(2, 3, dtype=torch.long)).abs().sum() == 0
