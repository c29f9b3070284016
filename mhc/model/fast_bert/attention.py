"""Attention within each text by batched matrix products: for all tokens (forward and backward), or for the first one.

Packed tokens are stored text by text, each with three vectors per head; the products need them by text and head. One
gather by an index that all layers of a step share puts them into that order, another one puts them back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mhc.model.fast_bert.packing import MASK_BIAS, Packing

VECTOR_BYTES = 64
"""Keys are padded to whole vectors of the processor: masking and softmax of short texts take a third of the time."""


class AttentionState(NamedTuple):
    """Tensors of the forward that the backward needs: small matrices, one per text and head."""

    query: Tensor
    """[texts x heads, seq_len, head_dim], scaled by 1 / sqrt(head_dim)."""
    key: Tensor
    """[texts x heads, key_len, head_dim]; key_len is seq_len rounded up to whole vectors."""
    value: Tensor
    """[texts x heads, key_len, head_dim]."""
    attn_probs: Tensor
    """[texts x heads, seq_len, key_len]."""


class Layout:
    """Gather indices between the packed tokens and the batched matrices.

    Padding in the matrices holds the vectors of an arbitrary token: as a key it is masked; as a query its result is
    not read, so that the gradient there is 0.

    Args:
        packing: of the batch.
        heads: attention heads.
        dtype: of the attention scores.
    """

    def __init__(self, packing: Packing, heads: int, dtype: torch.dtype) -> None:
        vector = VECTOR_BYTES // dtype.itemsize
        self.heads, self.tokens = heads, packing.tokens
        self.text_heads, self.seq_len = packing.texts * heads, packing.seq_len
        self.key_len = -(-packing.seq_len // vector) * vector
        self.attn_bias = _padded_bias(packing, self.key_len, dtype)
        """[texts, 1, key_len] or [1, 1, key_len]: added to the scores; None: there is no padding."""
        head = torch.arange(heads, device=packing.first.device)
        token = packing.packed_index.view(packing.texts, 1, packing.seq_len)
        self.tokens_to_matrices = (token * heads + head[:, None]).reshape(-1)
        """[texts x heads x seq_len]: index into [(tokens + 1) x heads]; the last token represents padding."""
        query = token.clamp(max=packing.tokens - 1) * (3 * heads) + head[:, None]
        key = functional.pad(query + heads, (0, self.key_len - packing.seq_len))
        self.qkv_to_matrices = torch.cat([query.reshape(-1), key.reshape(-1), (key + heads).reshape(-1)])
        """[texts x heads x (seq_len + 2 x key_len)]: index into [tokens x 3 x heads]."""
        matrix = packing.padded_index.div(packing.seq_len, rounding_mode="floor")[:, None] * heads + head
        position = packing.positions()[:, None]
        self.matrices_to_tokens = (matrix * self.seq_len + position).reshape(-1)
        """[tokens x heads]: index into [texts x heads x seq_len]."""
        key = self.text_heads * self.seq_len + matrix * self.key_len + position
        value = key + self.text_heads * self.key_len
        self.matrices_to_qkv = torch.cat([self.matrices_to_tokens.view(matrix.shape), key, value], 1).reshape(-1)
        """[tokens x 3 x heads]: index into [texts x heads x (seq_len + 2 x key_len)]."""

    def split_qkv(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, as in `AttentionState`, as views.

        Args:
            vectors: [texts x heads x (seq_len + 2 x key_len), head_dim].
        """
        queries, keys = self.text_heads * self.seq_len, self.text_heads * self.key_len
        query, key, value = torch.split(vectors, [queries, keys, keys])
        head_dim = vectors.shape[-1]
        return (
            query.view(self.text_heads, self.seq_len, head_dim),
            key.view(self.text_heads, self.key_len, head_dim),
            value.view(self.text_heads, self.key_len, head_dim),
        )


def attend(qkv: Tensor, layout: Layout) -> tuple[Tensor, AttentionState]:
    """Return softmax(Q K^T) V of every token, [tokens, hidden_size], and what the backward needs.

    Args:
        qkv: query (scaled), key and value of every token, [tokens, 3 x hidden_size].
        layout: of the batch.
    """
    query, key, value = layout.split_qkv(
        qkv.view(layout.tokens * 3 * layout.heads, -1).index_select(0, layout.qkv_to_matrices)
    )
    scores = torch.bmm(query, key.transpose(1, 2))
    if layout.attn_bias is not None:
        scores.view(-1, layout.heads * layout.seq_len, layout.key_len).add_(layout.attn_bias)
    attn_probs = torch.softmax(scores, -1)
    attn_out = torch.bmm(attn_probs, value).view(-1, value.shape[-1]).index_select(0, layout.matrices_to_tokens)
    return attn_out.view(layout.tokens, -1), AttentionState(query, key, value, attn_probs)


def attend_backward(grad_attn_out: Tensor, state: AttentionState, layout: Layout) -> Tensor:
    """Return the gradient of `qkv`, [tokens, 3 x hidden_size].

    Args:
        grad_attn_out: gradient of the first result of `attend`, [tokens + 1, hidden_size]; the last row is 0.
        state: second result of `attend`.
        layout: of the batch.
    """
    query, key, value, attn_probs = state
    grad = grad_attn_out.view(-1, value.shape[-1]).index_select(0, layout.tokens_to_matrices).view(query.shape)
    vectors = query.new_empty(len(layout.qkv_to_matrices), query.shape[-1])
    grad_query, grad_key, grad_value = layout.split_qkv(vectors)
    torch.bmm(attn_probs.transpose(1, 2), grad, out=grad_value)
    grad_scores = torch._softmax_backward_data(torch.bmm(grad, value.transpose(1, 2)), attn_probs, -1, attn_probs.dtype)
    torch.bmm(grad_scores, key, out=grad_query)
    torch.bmm(grad_scores.transpose(1, 2), query, out=grad_key)
    return vectors.index_select(0, layout.matrices_to_qkv).view(layout.tokens, -1)


def _padded_bias(packing: Packing, key_len: int, dtype: torch.dtype) -> Tensor | None:
    """Return the attention bias of `key_len` keys; None if there is nothing to mask."""
    if key_len == packing.seq_len:
        return packing.attn_bias
    bias = packing.attn_bias
    if bias is None:
        bias = packing.first.new_zeros((1, 1, packing.seq_len), dtype=dtype)
    return functional.pad(bias, (0, key_len - packing.seq_len), value=MASK_BIAS)


Projection = tuple[Tensor, Tensor]
"""Weight [out, in] and bias [out] of a linear layer."""


def first_token_attention(
    query: Tensor, hidden: Tensor, key: Projection, value: Projection, packing: Packing, heads: int
) -> Tensor:
    """Return the attention output of the first token of each text, [texts, hidden_size].

    With one query per text, q (K h) is computed as (q K) h, and the sum of attention probabilities times V h as V times
    the sum: 2 x heads x hidden_size products per token instead of 2 x hidden_size^2.

    Args:
        query: of the first tokens, [texts, hidden_size], scaled by 1 / sqrt(head_dim).
        hidden: all tokens, [tokens, hidden_size].
        key: projection to keys.
        value: projection to values.
        packing: of the batch.
        heads: attention heads.
    """
    texts, hidden_size, dtype = packing.texts, query.shape[1], query.dtype
    by_head = query.view(texts, heads, -1).transpose(0, 1)
    query_key = torch.bmm(by_head, key[0].to(dtype).view(heads, -1, hidden_size)).transpose(0, 1)
    score_bias = (query * key[1].to(dtype)).view(texts, heads, -1).sum(-1, keepdim=True)  # equal for all keys of a text
    context: Tensor = _WeightedHidden.apply(query_key, score_bias, hidden, packing)  # type: ignore[no-untyped-call]
    attn_out = torch.bmm(context.transpose(0, 1), value[0].to(dtype).view(heads, -1, hidden_size).transpose(1, 2))
    return attn_out.transpose(0, 1).reshape(texts, hidden_size) + value[1].to(dtype)


class _WeightedHidden(torch.autograd.Function):
    """Sum of each text's tokens weighted by their attention probabilities, [texts, heads, hidden_size]."""

    @staticmethod
    def forward(ctx: Any, query_key: Tensor, score_bias: Tensor, hidden: Tensor, packing: Packing) -> Tensor:
        padded = packing.unpack(hidden).view(packing.texts, packing.seq_len, -1)
        scores = torch.bmm(query_key, padded.transpose(1, 2)).add_(score_bias)
        if packing.attn_bias is not None:
            scores.add_(packing.attn_bias)
        attn_probs = torch.softmax(scores, -1)
        ctx.packing = packing
        ctx.save_for_backward(query_key, padded, attn_probs)
        return torch.bmm(attn_probs, padded)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query_key, padded, attn_probs = ctx.saved_tensors
        grad_probs = torch.bmm(grad_outputs[0], padded.transpose(1, 2))
        grad_scores = torch._softmax_backward_data(grad_probs, attn_probs, -1, attn_probs.dtype)
        # a token is both key (first half of the product) and value (second half)
        weights, vectors = torch.cat([grad_scores, attn_probs], 1), torch.cat([query_key, grad_outputs[0]], 1)
        grad_padded = torch.bmm(weights.transpose(1, 2), vectors)
        grad_hidden = ctx.packing.pack(grad_padded.view(-1, padded.shape[-1]))
        return torch.bmm(grad_scores, padded), grad_scores.sum(-1, keepdim=True), grad_hidden, None


def flash_attention(qkv: Tensor, cu_seqlens: Tensor, seq_len: int, heads: int) -> Tensor:
    """Return the attention output [tokens, hidden_size] on a GPU; the kernel skips padding by `cu_seqlens`.

    Args:
        qkv: query (scaled), key and value of every token, [tokens, 3 x hidden_size].
        cu_seqlens: starts of the texts and the end, [texts + 1], int32.
        seq_len: tokens of the longest text.
        heads: attention heads.
    """
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = qkv.view(len(qkv), 3, heads, -1).unbind(1)
    attn_out = varlen_attn(query, key, value, cu_seqlens, cu_seqlens, seq_len, seq_len, scale=1.0)
    assert isinstance(attn_out, Tensor)
    return attn_out.reshape(len(qkv), -1)
