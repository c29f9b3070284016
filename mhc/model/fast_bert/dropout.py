"""Dropout masks of one training step, drawn once for all layers."""

from __future__ import annotations

import torch
from torch import Tensor


class DropoutPool:
    """Pool of dropout decisions of one step; every layer takes a window of it that begins at a random position.

    Within a layer all decisions are independent (16 random bits each, so that the probability is exact to 1/65536).
    Layers share random numbers at different offsets, so that a unit of a token gets the same number in two layers only
    by chance.

    Args:
        like: activations [tokens, hidden_size] that the masks are for: shape, type and device.
        dropout_p: probability of setting a number to 0; the others are scaled by 1 / (1 - dropout_p).
    """

    def __init__(self, like: Tensor, dropout_p: float) -> None:
        numbers = like.numel() + like.numel() // 4
        bits = torch.empty(-(-numbers // 4), dtype=torch.int64, device=like.device).random_(-(2**63), 2**63 - 1)
        threshold = round(dropout_p * 65536) - 32768
        self.masks = _scaled_mask(bits.view(torch.int16), threshold, 1 / (1 - dropout_p), like.dtype)

    def take(self, like: Tensor) -> Tensor:
        """Return a mask of the shape of `like`: 0 or 1 / (1 - dropout_p)."""
        start = int(torch.randint(self.masks.numel() - like.numel() + 1, ()))
        return self.masks[start : start + like.numel()].view(like.shape)


def _scaled_mask(bits: Tensor, threshold: int, scale: float, dtype: torch.dtype) -> Tensor:
    """Return `scale` at bits >= threshold, else 0. For bfloat16 by integer arithmetic: casting a bool takes longer."""
    if dtype != torch.bfloat16:
        return (bits >= threshold).to(dtype).mul_(scale)
    pattern = int(torch.tensor(scale, dtype=dtype).view(torch.int16))
    # halved, so that the difference fits 16 bits; the sign, shifted into all bits, is the mask
    sign = (bits >> 1).neg_().add_((threshold - 1) >> 1).bitwise_right_shift_(15)
    return sign.bitwise_and_(pattern).view(dtype)
