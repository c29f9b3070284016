"""Packing of a padded batch: linear layers read the real tokens alone, attention reads the padded form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

HALF_PRECISION = (torch.bfloat16, torch.float16)
"""Types that flash attention supports."""
MASK_BIAS = -1e9
"""Added to the attention score of a padding token."""
TOKEN_MULTIPLE = 32
"""Packed tokens are a multiple of this: a product of a new shape costs its preparation, a tenth of a step in all."""


@dataclass(frozen=True)
class Packing:
    """Positions of the real tokens of a padded batch [texts, seq_len]."""

    texts: int
    seq_len: int
    indices: Tensor | None
    """[tokens]: positions in the flattened batch, with less than TOKEN_MULTIPLE of padding; None: all positions."""
    first: Tensor
    """[texts]: index of the first token of each text among the packed tokens."""
    attn_bias: Tensor | None
    """[texts, 1, seq_len]: 0, or MASK_BIAS at padding; None: the batch has no padding."""
    cu_seqlens: Tensor | None = None
    """[texts + 1], int32: start of each text among the packed tokens, and the end; only if all padding is removed."""

    @classmethod
    def of(cls, input_ids: Tensor, mask: Tensor | None, min_padding: float, dtype: torch.dtype) -> Packing:
        """Return the packing of a batch.

        Padding is removed if its fraction of the batch is `min_padding` or more. On a GPU in half precision all of it
        is removed, for flash attention.

        Args:
            input_ids: [texts, seq_len].
            mask: attention mask [texts, seq_len], 1 for a real token; None: all tokens are real.
            min_padding: fraction of the batch, 0 to 1.
            dtype: of the attention scores.
        """
        if input_ids.is_cuda and dtype in HALF_PRECISION:
            return cls.exact(torch.ones_like(input_ids) if mask is None else mask, dtype)
        texts, seq_len = input_ids.shape
        starts = torch.arange(0, texts * seq_len, seq_len, device=input_ids.device)
        lengths = None if mask is None else mask.sum(1)
        real = texts * seq_len if lengths is None else int(lengths.sum())
        if mask is None or lengths is None or real == texts * seq_len:
            return cls(texts, seq_len, None, starts, None)
        attn_bias = _attn_bias(mask, dtype)
        if real > (1 - min_padding) * texts * seq_len:
            return cls(texts, seq_len, None, starts, attn_bias)
        selection = _rounded_up(mask.bool(), real)
        counts = selection.sum(1)
        return cls(texts, seq_len, selection.view(-1).nonzero().squeeze(1), counts.cumsum(0) - counts, attn_bias)

    @classmethod
    def exact(cls, mask: Tensor, dtype: torch.dtype) -> Packing:
        """Return the packing of a batch with mask [texts, seq_len] that leaves no padding, for flash attention."""
        texts, seq_len = mask.shape
        lengths = mask.sum(1)
        cu_seqlens = functional.pad(lengths.cumsum(0), (1, 0))
        indices = mask.reshape(-1).nonzero().squeeze(1)
        return cls(texts, seq_len, indices, cu_seqlens[:-1], _attn_bias(mask, dtype), cu_seqlens.int())

    def pack(self, padded: Tensor) -> Tensor:
        """Return [tokens, ...] from [texts x seq_len, ...]."""
        return padded if self.indices is None else padded.index_select(0, self.indices)

    def unpack(self, packed: Tensor) -> Tensor:
        """Return [texts x seq_len, ...] from [tokens, ...]; padding holds an arbitrary token and must be masked."""
        return packed if self.indices is None else packed.index_select(0, self.packed_index.clamp(max=self.tokens - 1))

    @property
    def tokens(self) -> int:
        """Number of packed tokens."""
        return self.texts * self.seq_len if self.indices is None else len(self.indices)

    @cached_property
    def padded_index(self) -> Tensor:
        """[tokens]: position of each packed token in the flattened padded batch."""
        if self.indices is None:
            return torch.arange(self.texts * self.seq_len, device=self.first.device)
        return self.indices

    @cached_property
    def packed_index(self) -> Tensor:
        """[texts x seq_len]: position of each token among the packed ones; `tokens` at removed padding."""
        if self.indices is None:
            return self.padded_index
        index = self.indices.new_full((self.texts * self.seq_len,), self.tokens)
        index[self.indices] = torch.arange(self.tokens, device=self.indices.device)
        return index

    def positions(self) -> Tensor:
        """Return the position of each packed token in its text, from 0, as [tokens]."""
        return self.padded_index % self.seq_len


def _attn_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the addend of the attention scores, [texts, 1, seq_len]."""
    return torch.where(mask.bool(), 0.0, MASK_BIAS).to(dtype)[:, None, :]


def _rounded_up(real: Tensor, count: int) -> Tensor:
    """Return a mask [texts, seq_len] of the `count` real tokens and of padding up to a multiple of TOKEN_MULTIPLE."""
    missing = -count % TOKEN_MULTIPLE
    selection = real.clone().view(-1)
    selection[(~selection).nonzero().squeeze(1)[:missing]] = True
    return selection.view(real.shape)
