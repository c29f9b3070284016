"""Cut rows into batches: texts of one length together, as many as a budget of tokens holds. Pure.

The cut depends on the lengths alone, so every epoch has the same number of batches of the same shapes; which rows
share a batch, and the order of the batches, depend on (seed, epoch).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def padded(lengths: npt.NDArray[np.integer], multiple: int) -> Ints:
    """Return the lengths, rounded up to a multiple; at least one."""
    return np.maximum(-(-lengths.astype(np.int64) // multiple), 1) * multiple


def cuts(descending: Ints, tokens: int, max_rows: int) -> Ints:
    """Return where batches start in rows sorted by falling padded length, and the number of rows last.

    A batch holds the rows that fit when all are as long as its first; at least one.
    """
    starts = [0]
    while starts[-1] < len(descending):
        fit = min(max_rows, max(1, tokens // int(descending[starts[-1]])))
        starts.append(min(starts[-1] + fit, len(descending)))
    return np.array(starts, np.int64)


def by_length(lengths: Ints, tokens: int, max_rows: int, shuffle: np.random.Generator | None) -> list[Ints]:
    """Return batches of rows of like length; shuffled, or the longest first.

    Args:
        lengths: [rows] padded lengths.
        tokens: most tokens of a batch, padding included; a longer text is a batch of its own.
        max_rows: most rows of a batch.
        shuffle: mixes rows of one length, and the batches; None keeps their order.
    """
    rows = np.arange(len(lengths)) if shuffle is None else shuffle.permutation(len(lengths))
    rows = rows[np.argsort(-lengths[rows], kind="stable")]
    starts = cuts(lengths[rows], tokens, max_rows)
    batches = np.split(rows, starts[1:-1])
    if shuffle is not None:
        batches = [batches[number] for number in shuffle.permutation(len(batches))]
    return batches


def mixed(lengths: Ints, tokens: int, max_rows: int, shuffle: np.random.Generator | None) -> list[Ints]:
    """Return as many batches as `by_length`, each of rows of any length: what a plain loader does."""
    count = len(cuts(np.sort(lengths)[::-1], tokens, max_rows)) - 1
    rows = np.arange(len(lengths)) if shuffle is None else shuffle.permutation(len(lengths))
    return np.array_split(rows, count) if count else []


def share_of(batches: list[Ints], rank: int, ranks: int) -> list[Ints]:
    """Return the batches of one process; all processes get equally many, so the first ones may come twice."""
    if ranks == 1 or not batches:
        return batches
    each = -(-len(batches) // ranks)
    return [batches[(rank + ranks * number) % len(batches)] for number in range(each)]


def generator(seed: int, epoch: int) -> np.random.Generator:
    """Return the randomness of one epoch."""
    return np.random.default_rng([seed, epoch])
