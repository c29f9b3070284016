"""Where the real tokens of a padded batch lie, packed for linear layers and spread out for attention."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

HALF = (torch.bfloat16, torch.float16)
"""What flash attention computes in."""
MASKED = -1e9
"""Added to the score of a padding token."""
SAME_SHAPE = 32
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
        bounds = functional.pad(lengths.cumsum(0), (1, 0))
        flat = mask.reshape(-1).nonzero().squeeze(1)
        return cls(rows, width, flat, bounds[:-1], _masking(mask, kind), bounds.int())

    def pack(self, padded: Tensor) -> Tensor:
        """[rows x width, ...] to [tokens, ...]."""
        return padded if self.flat is None else padded.index_select(0, self.flat)

    def unpack(self, packed: Tensor) -> Tensor:
        """[tokens, ...] to [rows x width, ...]; padding holds some token, to be masked."""
        return packed if self.flat is None else packed.index_select(0, self.packed.clamp(max=self.tokens - 1))

    @property
    def tokens(self) -> int:
        """How many tokens are packed."""
        return self.rows * self.width if self.flat is None else len(self.flat)

    @cached_property
    def padded(self) -> Tensor:
        """[tokens]: the place of each token in the flattened padded batch."""
        return torch.arange(self.rows * self.width, device=self.first.device) if self.flat is None else self.flat

    @cached_property
    def packed(self) -> Tensor:
        """[rows x width]: the place of each token among the packed ones; `tokens` where there is padding."""
        if self.flat is None:
            return self.padded
        places = self.flat.new_full((self.rows * self.width,), self.tokens)
        places[self.flat] = torch.arange(self.tokens, device=self.flat.device)
        return places

    def positions(self) -> Tensor:
        """[tokens]: the place of each token in its text, from 0."""
        return self.padded % self.width


def _masking(mask: Tensor, kind: torch.dtype) -> Tensor:
    """[rows, 1, width]: what is added to scores."""
    return torch.where(mask.bool(), 0.0, MASKED).to(kind)[:, None, :]


def _rounded_up(real: Tensor, count: int) -> Tensor:
    """[rows, width]: the real tokens and some of the padding, so that their number is a multiple of SAME_SHAPE."""
    missing = -count % SAME_SHAPE
    kept = real.clone().view(-1)
    kept[(~kept).nonzero().squeeze(1)[:missing]] = True
    return kept.view(real.shape)
