"""Generator of meaningless texts with the lengths of real posts, deterministic by seed."""

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
    """Return invented words; the frequent ones come first and are short."""
    draw = np.random.default_rng(seed)
    vocabulary: dict[str, None] = {}
    while len(vocabulary) < WORDS:
        size = int(draw.integers(1, 3 + len(vocabulary) // 2000))
        vocabulary["".join(SYLLABLES[number] for number in draw.integers(0, len(SYLLABLES), size))] = None
    return list(vocabulary)


def lengths(draw: np.random.Generator, count: int, median: int, most: int) -> list[int]:
    """Return [count] numbers of tokens, log-normal around the median, special tokens included, at most `most`."""
    sizes = np.exp(draw.normal(math.log(median), SPREAD, count)).astype(int)
    return [int(length) for length in np.clip(sizes, 4, most)]


def texts(count: int, *, median: int, most: int, seed: int = 0) -> Iterator[str]:
    """Yield texts; words are as frequent as in language (Zipf), and each is about one token of a trained tokenizer."""
    draw = np.random.default_rng(seed)
    vocabulary = np.array(words())
    frequency = 1 / np.arange(1, WORDS + 1)
    cumulated = np.cumsum(frequency / frequency.sum())
    for start in range(0, count, CHUNK):
        sizes = [size - SPECIAL_TOKENS for size in lengths(draw, min(CHUNK, count - start), median, most)]
        stream = iter(vocabulary[np.searchsorted(cumulated, draw.random(sum(sizes))).clip(max=WORDS - 1)])
        for size in sizes:
            yield " ".join(islice(stream, size))


def write(path: Path, count: int, *, median: int, most: int, seed: int = 0) -> Path:
    """Write a CSV of texts and labels, row by row."""
    draw = np.random.default_rng(seed + 1)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        for text in texts(count, median=median, most=most, seed=seed):
            rows.writerow((text, LABELS[int(draw.integers(len(LABELS)))]))
    return path
