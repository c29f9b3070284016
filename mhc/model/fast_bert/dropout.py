"""Dropout masks of one training step, drawn once for all layers."""

from __future__ import annotations

import torch
from torch import Tensor


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
