"""Texts without meaning, of the lengths of real posts, in any number; the same ones for the same seed."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

LABELS = ("anxiety", "depression", "normal", "suicidal")
SPREAD = 0.7
"""Standard deviation of the logarithm of a length."""
WORDS = 8000
SYLLABLES = [first + second for first in "bcdfghjklmnprstvwz" for second in "aeiou"]
SPECIAL_TOKENS = 2
CHUNK = 20_000


def words(seed: int = 0) -> list[str]:
    """Return made-up words, the frequent ones first and short."""
    draw = np.random.default_rng(seed)
    made: dict[str, None] = {}
    while len(made) < WORDS:
        size = int(draw.integers(1, 3 + len(made) // 2000))
        made["".join(SYLLABLES[number] for number in draw.integers(0, len(SYLLABLES), size))] = None
    return list(made)


def lengths(draw: np.random.Generator, count: int, median: int, most: int) -> list[int]:
    """Return [count] numbers of tokens, log-normal around the median, special tokens included, cut at `most`."""
    drawn = np.exp(draw.normal(math.log(median), SPREAD, count)).astype(int)
    return [int(length) for length in np.clip(drawn, 4, most)]


def texts(count: int, *, median: int, most: int, seed: int = 0) -> Iterator[str]:
    """Yield texts; words are as frequent as in language (Zipf), and each is about one token of a trained tokenizer."""
    draw = np.random.default_rng(seed)
    known = np.array(words())
    frequency = 1 / np.arange(1, WORDS + 1)
    cumulated = np.cumsum(frequency / frequency.sum())
    for start in range(0, count, CHUNK):
        sizes = [size - SPECIAL_TOKENS for size in lengths(draw, min(CHUNK, count - start), median, most)]
        drawn = iter(known[np.searchsorted(cumulated, draw.random(sum(sizes))).clip(max=WORDS - 1)])
        for size in sizes:
            yield " ".join(islice(drawn, size))


def write(path: Path, count: int, *, median: int, most: int, seed: int = 0) -> Path:
    """Write a CSV of texts and labels, row by row."""
    draw = np.random.default_rng(seed + 1)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        for text in texts(count, median=median, most=most, seed=seed):
            rows.writerow((text, LABELS[int(draw.integers(len(LABELS)))]))
    return path
