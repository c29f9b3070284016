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
def test_real_tokens_are_packed_to_a_multiple(monkeypatch, multiple, tokens):
    monkeypatch.setattr(packing, "SAME_SHAPE", multiple)
    packed = a_packing([4, 1, 3])
    assert packed.tokens == tokens
    assert set(a_mask([4, 1, 3]).view(-1).nonzero().squeeze(1).tolist()) <= set(packed.padded.tolist())


@pytest.mark.parametrize("multiple", [1, 5, 32])
def test_what_is_packed_and_unpacked_is_the_same(monkeypatch, multiple):
    monkeypatch.setattr(packing, "SAME_SHAPE", multiple)
    packed, real = a_packing([4, 1, 3]), a_mask([4, 1, 3]).view(-1).bool()
    batch = torch.arange(24.0).view(12, 2)
    assert torch.equal(packed.unpack(packed.pack(batch))[real], batch[real])


def test_each_token_knows_its_place_among_the_packed_and_padding_has_none(monkeypatch):
    monkeypatch.setattr(packing, "SAME_SHAPE", 1)
    packed = a_packing([2, 1])
    assert packed.packed.tolist() == [0, 1, 2, packed.tokens]
    assert packed.positions().tolist() == [0, 1, 0]


def test_packing_for_flash_attention_leaves_no_padding() -> None:
    mask = a_mask([4, 1, 3])
    whole = Packing.exact(mask, torch.float32)
    assert whole.bounds is not None
    assert whole.bounds.tolist() == [0, 4, 5, 8]
    assert whole.bounds.dtype == torch.int32
    assert whole.first.tolist() == [0, 4, 5]
    assert whole.positions().tolist() == [0, 1, 2, 3, 0, 0, 1, 2]
    assert whole.pack(mask.view(-1)).tolist() == [1] * 8
