"""The limit of the machine: the fastest matrix product that torch reaches."""

from __future__ import annotations

import time

import torch

SIZES = (1024, 2048)
REPEATS = 6


def peak(kind: torch.dtype, device: str = "cpu") -> float:
    """Return the highest measured FLOP/s of products of square matrices."""
    return max(product(kind, size, device) for size in SIZES)


def product(kind: torch.dtype, size: int, device: str) -> float:
    """Return FLOP/s of the fastest of several products [size, size] x [size, size]."""
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    torch.mm(left, right)
    best = float("inf")
    for _ in range(REPEATS):
        wait(device)
        started = time.perf_counter()
        torch.mm(left, right)
        wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def wait(device: str) -> None:
    """Wait until the device has finished its queued work."""
    if device == "cuda":
        torch.cuda.synchronize()


def flops_per_token(layers: int, width: int, lengths: list[int]) -> float:
    """Return FLOPs of a training step per real token: 6 N without embeddings (Kaplan et al. 2020), and attention.

    Attention of a text of n tokens: 4 n^2 width per layer forward, twice that backward; feed-forward is 4 x width.
    """
    tokens, squares = sum(lengths), sum(length * length for length in lengths)
    return 6 * 12 * layers * width**2 + 12 * layers * width * squares / tokens


def unread_flops_per_token(width: int, heads: int, lengths: list[int]) -> float:
    """Return the FLOPs per token for outputs of the last layer that a classifier never reads: all but the first token.

    The first token's attention takes heads x width products per token of its text, for the scores and for their sum.
    """
    tokens, squares, texts = sum(lengths), sum(length * length for length in lengths), len(lengths)
    return 6 * 12 * width**2 * (1 - texts / tokens) + 12 * width * (squares / tokens - heads)
