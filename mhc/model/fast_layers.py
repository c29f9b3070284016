"""The parts of the fast encoder: real tokens out of a padded batch, linear layers, attention, dropout masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

HALF = (torch.bfloat16, torch.float16)
"""What flash attention computes in."""
MASKED = -1e9
"""Added to the score of a padding token."""


SAME_SHAPE = 128
"""Packed tokens are a multiple of this: a product of a new shape costs its preparation, a tenth of a step in all."""


@dataclass(frozen=True)
class Packing:
    """Where the real tokens of a padded batch [rows, width] lie."""

    rows: int
    width: int
    flat: Tensor | None
    """[tokens]: positions in the flattened batch, with at most SAME_SHAPE of padding; None: all of them."""
    first: Tensor
    """[rows]: the first token of each text among the packed ones."""
    bias: Tensor | None
    """[rows, 1, width]: 0, or MASKED where there is padding; None: there is none."""
    bounds: Tensor | None = None
    """[rows + 1], int32: where each text begins among the packed tokens, and the end; only where no padding is left."""

    @classmethod
    def of(cls, input_ids: Tensor, mask: Tensor | None, pack_from: float, kind: torch.dtype) -> Packing:
        """Look at a batch; padding is taken out where it makes up `pack_from` of it or more, all of it on a GPU."""
        if input_ids.is_cuda and kind in HALF:
            return cls.exact(torch.ones_like(input_ids) if mask is None else mask, kind)
        rows, width = input_ids.shape
        starts = torch.arange(0, rows * width, width, device=input_ids.device)
        lengths = None if mask is None else mask.sum(1)
        real = rows * width if lengths is None else int(lengths.sum())
        if mask is None or lengths is None or real == rows * width:
            return cls(rows, width, None, starts, None)
        bias = _masking(mask, kind)
        if real > (1 - pack_from) * rows * width:
            return cls(rows, width, None, starts, bias)
        kept = _rounded_up(mask.bool(), real)
        counts = kept.sum(1)
        return cls(rows, width, kept.view(-1).nonzero().squeeze(1), counts.cumsum(0) - counts, bias)

    @classmethod
    def exact(cls, mask: Tensor, kind: torch.dtype) -> Packing:
        """Leave no padding at all, as attention over texts of any lengths wants it."""
        rows, width = mask.shape
        lengths = mask.sum(1)
        bounds = nn.functional.pad(lengths.cumsum(0), (1, 0))
        flat = mask.reshape(-1).nonzero().squeeze(1)
        return cls(rows, width, flat, bounds[:-1], _masking(mask, kind), bounds.int())

    def pack(self, padded: Tensor) -> Tensor:
        """[rows x width, ...] to [tokens, ...]."""
        return padded if self.flat is None else padded.index_select(0, self.flat)

    def unpack(self, packed: Tensor) -> Tensor:
        """[tokens, ...] to [rows x width, ...], 0 where there is padding."""
        if self.flat is None:
            return packed
        return packed.new_zeros(self.rows * self.width, *packed.shape[1:]).index_copy_(0, self.flat, packed)

    def positions(self) -> Tensor:
        """[tokens]: the place of each token in its text, from 0."""
        places = torch.arange(self.rows * self.width, device=self.first.device) if self.flat is None else self.flat
        return places % self.width


def _masking(mask: Tensor, kind: torch.dtype) -> Tensor:
    """[rows, 1, width]: what is added to scores."""
    return torch.where(mask.bool(), 0.0, MASKED).to(kind)[:, None, :]


def _rounded_up(real: Tensor, count: int) -> Tensor:
    """[rows, width]: the real tokens and some of the padding, so that their number is a multiple of SAME_SHAPE."""
    missing = -count % SAME_SHAPE
    kept = real.clone().view(-1)
    kept[(~kept).nonzero().squeeze(1)[:missing]] = True
    return kept.view(real.shape)


class DropoutPool:
    """Dropout masks of one step: drawn once, then every layer takes a window of them that begins at a random place.

    Within a layer all decisions are independent (16 random bits each, so that the share is exact to 1/65536); layers
    share random numbers, each shifted against the others, so that no unit of a token meets the same one twice but by
    chance.

    Args:
        like: [tokens, width], what is to be dropped from: shape, type and device.
        share: of the numbers that become 0; the others grow by 1 / (1 - share).
    """

    def __init__(self, like: Tensor, share: float) -> None:
        numbers = like.numel() + like.numel() // 4
        bits = torch.empty(-(-numbers // 4), dtype=torch.int64, device=like.device).random_(-(2**63), 2**63 - 1)
        dropped_below = round(share * 65536) - 32768
        self.masks = _where(bits.view(torch.int16), dropped_below, 1 / (1 - share), like.dtype)

    def take(self, like: Tensor) -> Tensor:
        """Masks of the same shape: 0 or 1 / (1 - share)."""
        start = int(torch.randint(self.masks.numel() - like.numel() + 1, ()))
        return self.masks[start : start + like.numel()].view(like.shape)


def _where(bits: Tensor, dropped_below: int, kept: float, kind: torch.dtype) -> Tensor:
    """`kept` where bits >= dropped_below, else 0. For bfloat16 by integer arithmetic: casting a bool takes longer."""
    if kind != torch.bfloat16:
        return (bits >= dropped_below).to(kind).mul_(kept)
    pattern = int(torch.tensor(kept, dtype=kind).view(torch.int16))
    # halved, so that the difference fits 16 bits; the sign, spread over all bits, is the mask
    sign = (bits >> 1).neg_().add_((dropped_below - 1) >> 1).bitwise_right_shift_(15)
    return sign.bitwise_and_(pattern).view(kind)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """[tokens, in] to [tokens, out] in x's type; the weights' gradients come in the weights' type."""
    result: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        cast = weight.to(x.dtype)
        ctx.save_for_backward(x, cast)
        ctx.kind = weight.dtype
        return functional.linear(x, cast, bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            gradient @ weight if for_x else None,
            (gradient.t() @ x).to(ctx.kind) if for_weight else None,
            gradient.sum(0).to(ctx.kind) if for_bias else None,
        )


def attention(query_key_value: Tensor, packing: Packing, heads: int) -> Tensor:
    """[tokens, 3 x width], queries scaled, to [tokens, width]: every text attends to itself alone."""
    if packing.bounds is not None:
        return _flash(query_key_value, packing.bounds, packing.width, heads)
    result: Tensor = _Attention.apply(query_key_value, packing, heads)  # type: ignore[no-untyped-call]
    return result


Weights = tuple[Tensor, Tensor]
"""Of a linear layer: [out, in] and [out]."""


def attention_of_first(
    query: Tensor, hidden: Tensor, key: Weights, value: Weights, packing: Packing, heads: int
) -> Tensor:
    """What the first token of each text takes from its text: query [rows, width], scaled; the result is alike.

    With one query a text, q (K h) is computed as (q K) h, and the sum of shares times V h as V times the sum: that is
    2 x heads x width products a token instead of 2 x width^2. `hidden` is [tokens, width].
    """
    rows, width, kind = packing.rows, query.shape[1], query.dtype
    texts = packing.unpack(hidden).view(rows, packing.width, width)
    by_head = query.view(rows, heads, -1).transpose(0, 1)
    asked = torch.bmm(by_head, key[0].to(kind).view(heads, -1, width)).transpose(0, 1)
    scores = torch.bmm(asked, texts.transpose(1, 2))
    for_all = (query * key[1].to(kind)).view(rows, heads, -1).sum(-1, keepdim=True)  # moves a text's scores alike
    scores = scores + for_all
    if packing.bias is not None:
        scores = scores + packing.bias
    found = torch.bmm(torch.softmax(scores, -1), texts).transpose(0, 1)
    mixed = torch.bmm(found, value[0].to(kind).view(heads, -1, width).transpose(1, 2))
    return mixed.transpose(0, 1).reshape(rows, width) + value[1].to(kind)


def _flash(query_key_value: Tensor, bounds: Tensor, longest: int, heads: int) -> Tensor:
    """Attention on a GPU, which reads where each text begins and computes no padding."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = query_key_value.view(len(query_key_value), 3, heads, -1).unbind(1)
    mixed = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=1.0)
    assert isinstance(mixed, Tensor)
    return mixed.reshape(len(query_key_value), -1)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_key_value: Tensor, packing: Packing, heads: int) -> Tensor:
        rows, width = packing.rows, packing.width
        parts = packing.unpack(query_key_value).view(rows, width, 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = parts.view(3, rows * heads, width, -1).unbind(0)
        scores = torch.bmm(query, key.transpose(1, 2))
        if packing.bias is not None:
            scores.view(rows, heads * width, width).add_(packing.bias)
        shares = torch.softmax(scores, -1)
        ctx.save_for_backward(query, key, value, shares)
        ctx.packing, ctx.heads = packing, heads
        return packing.pack(_beside(torch.bmm(shares, value), packing, heads))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, shares = ctx.saved_tensors
        packing, heads = ctx.packing, ctx.heads
        rows, width = packing.rows, packing.width
        above = packing.unpack(gradients[0]).view(rows, width, heads, -1).transpose(1, 2).reshape(query.shape)
        parts = query.new_empty(3, *query.shape)
        torch.bmm(shares.transpose(1, 2), above, out=parts[2])
        scores = torch._softmax_backward_data(torch.bmm(above, value.transpose(1, 2)), shares, -1, shares.dtype)
        torch.bmm(scores, key, out=parts[0])
        torch.bmm(scores.transpose(1, 2), query, out=parts[1])
        whole = parts.view(3, rows, heads, width, -1).permute(1, 3, 0, 2, 4).reshape(rows * width, -1)
        return packing.pack(whole), None, None


def _beside(mixed: Tensor, packing: Packing, heads: int) -> Tensor:
    """[rows x heads, width, size] to [rows x width, heads x size]."""
    by_row = mixed.view(packing.rows, heads, packing.width, -1).transpose(1, 2)
    return by_row.reshape(packing.rows * packing.width, math.prod(by_row.shape[2:]))
