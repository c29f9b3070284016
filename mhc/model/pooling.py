"""One vector per text from the vectors of its tokens. Pure.

`hidden` is [rows, tokens, width], `mask` [rows, tokens] with 1 for a real token; the result is [rows, width].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the real tokens; 0 for a row without one."""
    real = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * real).sum(1) / real.sum(1).clamp(min=1)


def cls(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the vector of the first real token."""
    first = mask.float().argmax(1)  # of equal values the first
    return hidden[torch.arange(len(hidden), device=hidden.device), first]


def maximum(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the largest value of each column over the real tokens; 0 for a row without one."""
    real = mask.unsqueeze(-1).bool()
    return hidden.masked_fill(~real, -float("inf")).amax(1).masked_fill(~real.any(1), 0.0)


def mean_by_text(logits: Tensor, texts: Tensor, count: int) -> Tensor:
    """Return [count, classes]: the mean of the rows of each text.

    Args:
        logits: [rows, classes].
        texts: [rows] position of the text of each row, each of 0 to count - 1 at least once.
        count: number of texts.
    """
    members = (texts == torch.arange(count, device=texts.device)[:, None]).to(logits.dtype)
    return (members @ logits) / members.sum(1, keepdim=True)


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": mean, "cls": cls, "max": maximum}
"""Pooling functions by their name in a configuration."""
