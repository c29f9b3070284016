from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mhc.model.fast_bert import packing
from mhc.model.fast_bert.packing import Packing


def a_mask(lengths: list[int]) -> Tensor:
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


def a_packing(lengths: list[int]) -> Packing:
    mask = a_mask(lengths)
    return Packing.of(mask, mask, 0.03, torch.float32)


@pytest.mark.parametrize(("multiple", "tokens"), [(1, 8), (5, 10), (32, 12)])
def test_real_tokens_are_packed_to_a_multiple(monkeypatch: pytest.MonkeyPatch, multiple: int, tokens: int) -> None:
    monkeypatch.setattr(packing, "TOKEN_MULTIPLE", multiple)
    packed = a_packing([4, 1, 3])
    assert packed.tokens == tokens
    assert set(a_mask([4, 1, 3]).view(-1).nonzero().squeeze(1).tolist()) <= set(packed.padded_index.tolist())


@pytest.mark.parametrize("multiple", [1, 5, 32])
def test_unpacking_restores_the_packed_tokens(monkeypatch: pytest.MonkeyPatch, multiple: int) -> None:
    monkeypatch.setattr(packing, "TOKEN_MULTIPLE", multiple)
    packed, real = a_packing([4, 1, 3]), a_mask([4, 1, 3]).view(-1).bool()
    batch = torch.arange(24.0).view(12, 2)
    assert torch.equal(packed.unpack(packed.pack(batch))[real], batch[real])


def test_tokens_have_an_index_among_the_packed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "TOKEN_MULTIPLE", 1)
    packed = a_packing([2, 1])
    assert packed.packed_index.tolist() == [0, 1, 2, packed.tokens]
    assert packed.positions().tolist() == [0, 1, 0]


def test_packing_for_flash_attention_leaves_no_padding() -> None:
    mask = a_mask([4, 1, 3])
    exact = Packing.exact(mask, torch.float32)
    assert exact.cu_seqlens is not None
    assert exact.cu_seqlens.tolist() == [0, 4, 5, 8]
    assert exact.cu_seqlens.dtype == torch.int32
    assert exact.first.tolist() == [0, 4, 5]
    assert exact.positions().tolist() == [0, 1, 2, 3, 0, 0, 1, 2]
    assert exact.pack(mask.view(-1)).tolist() == [1] * 8
