"""Attention within each text by batched matrix products: for all its tokens, forward and backward, or for the first.

Packed tokens lie text by text, each with three vectors per head; the products want them by text and head. One gather
by an index that all layers of a step share brings them there, another one brings them back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mhc.model.fast_bert.packing import MASKED, Packing

VECTOR_BYTES = 64
"""Keys are padded to whole vectors of the processor: masking and softmax of short texts take a third of the time."""


class Spread(NamedTuple):
    """Small matrices, one per text and head; what the backward needs of the forward."""

    query: Tensor
    """[texts x heads, width, size], scaled"""
    key: Tensor
    """[texts x heads, keys, size]; `keys` is the width in whole vectors"""
    value: Tensor
    """[texts x heads, keys, size]"""
    shares: Tensor
    """[texts x heads, width, keys]"""


class Layout:
    """Which vector of the packed tokens stands where in the batched matrices.

    Padding holds the vectors of some token: as a key it is masked; as a query its result is not read, so that the
    gradient there is 0.

    Args:
        packing: of the batch.
        heads: of attention.
        kind: what scores are computed in.
    """

    def __init__(self, packing: Packing, heads: int, kind: torch.dtype) -> None:
        vector = VECTOR_BYTES // kind.itemsize
        self.heads, self.tokens = heads, packing.tokens
        self.matrices, self.width = packing.rows * heads, packing.width
        self.keys = -(-packing.width // vector) * vector
        self.bias = _bias(packing, self.keys, kind)
        """[texts, 1, keys] or [1, 1, keys]: added to scores; None: there is no padding."""
        head = torch.arange(heads, device=packing.first.device)
        here = packing.packed.view(packing.rows, 1, packing.width)
        self.above = (here * heads + head[:, None]).reshape(-1)
        """[texts x heads x width]: which of [(tokens + 1) x heads]; the last token stands for padding."""
        query = here.clamp(max=packing.tokens - 1) * (3 * heads) + head[:, None]
        key = functional.pad(query + heads, (0, self.keys - packing.width))
        self.spread = torch.cat([query.reshape(-1), key.reshape(-1), (key + heads).reshape(-1)])
        """[texts x heads x (width + 2 x keys)]: which of [tokens x 3 x heads]."""
        matrix = packing.padded.div(packing.width, rounding_mode="floor")[:, None] * heads + head
        place = packing.positions()[:, None]
        self.mixed = (matrix * self.width + place).reshape(-1)
        """[tokens x heads]: which of [texts x heads x width]."""
        key = self.matrices * self.width + matrix * self.keys + place
        self.gathered = torch.cat([self.mixed.view(matrix.shape), key, key + self.matrices * self.keys], 1).reshape(-1)
        """[tokens x 3 x heads]: which of [texts x heads x (width + 2 x keys)]."""

    def matrices_of(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[texts x heads x (width + 2 x keys), size] as queries, keys and values."""
        wide, long = self.matrices * self.width, self.matrices * self.keys
        query, key, value = torch.split(vectors, [wide, long, long])
        size = vectors.shape[-1]
        return (
            query.view(self.matrices, self.width, size),
            key.view(self.matrices, self.keys, size),
            value.view(self.matrices, self.keys, size),
        )


def attend(projected: Tensor, layout: Layout) -> tuple[Tensor, Spread]:
    """What each token takes from its text, [tokens, width], from its query, key and value [tokens, 3 x width]."""
    query, key, value = layout.matrices_of(
        projected.view(layout.tokens * 3 * layout.heads, -1).index_select(0, layout.spread)
    )
    scores = torch.bmm(query, key.transpose(1, 2))
    if layout.bias is not None:
        scores.view(-1, layout.heads * layout.width, layout.keys).add_(layout.bias)
    shares = torch.softmax(scores, -1)
    mixed = torch.bmm(shares, value).view(-1, value.shape[-1]).index_select(0, layout.mixed)
    return mixed.view(layout.tokens, -1), Spread(query, key, value, shares)


def attend_backward(gradient: Tensor, spread: Spread, layout: Layout) -> Tensor:
    """The gradient of `projected` from that of what tokens took, [tokens + 1, width], whose last row is 0."""
    query, key, value, shares = spread
    above = gradient.view(-1, value.shape[-1]).index_select(0, layout.above).view(query.shape)
    vectors = query.new_empty(len(layout.spread), query.shape[-1])
    for_query, for_key, for_value = layout.matrices_of(vectors)
    torch.bmm(shares.transpose(1, 2), above, out=for_value)
    scores = torch._softmax_backward_data(torch.bmm(above, value.transpose(1, 2)), shares, -1, shares.dtype)
    torch.bmm(scores, key, out=for_query)
    torch.bmm(scores.transpose(1, 2), query, out=for_key)
    return vectors.index_select(0, layout.gathered).view(layout.tokens, -1)


def _bias(packing: Packing, keys: int, kind: torch.dtype) -> Tensor | None:
    if keys == packing.width:
        return packing.bias
    bias = packing.first.new_zeros((1, 1, packing.width), dtype=kind) if packing.bias is None else packing.bias
    return functional.pad(bias, (0, keys - packing.width), value=MASKED)


Projection = tuple[Tensor, Tensor]
"""Weights of a linear layer: [out, in] and [out]."""


def attention_of_first(
    query: Tensor, hidden: Tensor, key: Projection, value: Projection, packing: Packing, heads: int
) -> Tensor:
    """What the first token of each text takes from its text: query [rows, width], scaled; the result is alike.

    With one query a text, q (K h) is computed as (q K) h, and the sum of shares times V h as V times the sum: that is
    2 x heads x width products a token instead of 2 x width^2. `hidden` is [tokens, width].
    """
    rows, width, kind = packing.rows, query.shape[1], query.dtype
    by_head = query.view(rows, heads, -1).transpose(0, 1)
    asked = torch.bmm(by_head, key[0].to(kind).view(heads, -1, width)).transpose(0, 1)
    for_all = (query * key[1].to(kind)).view(rows, heads, -1).sum(-1, keepdim=True)  # moves a text's scores alike
    found: Tensor = _Found.apply(asked, for_all, hidden, packing)  # type: ignore[no-untyped-call]
    mixed = torch.bmm(found.transpose(0, 1), value[0].to(kind).view(heads, -1, width).transpose(1, 2))
    return mixed.transpose(0, 1).reshape(rows, width) + value[1].to(kind)


class _Found(torch.autograd.Function):
    """Tokens of each text, [texts, heads, width], weighed by how much they are what is asked for."""

    @staticmethod
    def forward(ctx: Any, asked: Tensor, for_all: Tensor, hidden: Tensor, packing: Packing) -> Tensor:
        texts = packing.unpack(hidden).view(packing.rows, packing.width, -1)
        scores = torch.bmm(asked, texts.transpose(1, 2)).add_(for_all)
        if packing.bias is not None:
            scores.add_(packing.bias)
        shares = torch.softmax(scores, -1)
        ctx.packing = packing
        ctx.save_for_backward(asked, texts, shares)
        return torch.bmm(shares, texts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        asked, texts, shares = ctx.saved_tensors
        above = torch.bmm(gradients[0], texts.transpose(1, 2))
        scores = torch._softmax_backward_data(above, shares, -1, shares.dtype)
        as_key_and_value = torch.cat([scores, shares], 1), torch.cat([asked, gradients[0]], 1)
        for_texts = torch.bmm(as_key_and_value[0].transpose(1, 2), as_key_and_value[1])
        for_hidden = ctx.packing.pack(for_texts.view(-1, texts.shape[-1]))
        return torch.bmm(scores, texts), scores.sum(-1, keepdim=True), for_hidden, None


def flash(query_key_value: Tensor, bounds: Tensor, longest: int, heads: int) -> Tensor:
    """Attention on a GPU, which reads where each text begins and computes no padding."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = query_key_value.view(len(query_key_value), 3, heads, -1).unbind(1)
    mixed = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=1.0)
    assert isinstance(mixed, Tensor)
    return mixed.reshape(len(query_key_value), -1)
