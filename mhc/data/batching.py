"""Cut rows into batches: texts of similar length together, as many as a token budget allows. Pure.

The batch sizes depend on the lengths alone, so every epoch has the same number of batches of the same shapes. Which
rows share a batch, and the order of the batches, depend on (seed, epoch).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def padded(lengths: npt.NDArray[np.integer], multiple: int) -> Ints:
    """Return the lengths, rounded up to a multiple; at least one multiple."""
    return np.maximum(-(-lengths.astype(np.int64) // multiple), 1) * multiple


def cuts(descending: Ints, tokens: int, max_rows: int, windows: Ints | None = None) -> Ints:
    """Return the start of each batch in rows sorted by descending padded length, then the number of rows.

    A batch has as many rows as fit if all are as long as its first row; at least one. `windows` is the number of
    windows of each row, each as long; None: one.
    """
    ends = np.arange(1, len(descending) + 1) if windows is None else windows.cumsum()
    starts = [0]
    while starts[-1] < len(descending):
        start = starts[-1]
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + tokens // int(descending[start]), side="right"))
        starts.append(min(max(fitting, start + 1), start + max_rows, len(descending)))
    return np.array(starts, np.int64)


def by_length(
    lengths: Ints, tokens: int, max_rows: int, shuffle: np.random.Generator | None, windows: Ints | None = None
) -> list[Ints]:
    """Return batches of rows of similar length; shuffled, or the longest first.

    Args:
        lengths: [rows] padded lengths.
        tokens: maximum number of tokens of a batch, padding included; a longer text is a batch of its own.
        max_rows: maximum number of rows of a batch.
        shuffle: shuffles rows of equal length, and the batches; None keeps their order.
        windows: [rows] number of windows of each row; None: one.
    """
    rows = np.arange(len(lengths)) if shuffle is None else shuffle.permutation(len(lengths))
    if windows is not None:
        rows = rows[np.argsort(-windows[rows], kind="stable")]
    rows = rows[np.argsort(-lengths[rows], kind="stable")]
    starts = cuts(lengths[rows], tokens, max_rows, None if windows is None else windows[rows])
    batches = np.split(rows, starts[1:-1])
    if shuffle is not None:
        batches = [batches[number] for number in shuffle.permutation(len(batches))]
    return batches


def mixed(
    lengths: Ints, tokens: int, max_rows: int, shuffle: np.random.Generator | None, windows: Ints | None = None
) -> list[Ints]:
    """Return as many batches as `by_length`, each with rows of any length, as a plain data loader does."""
    count = len(by_length(lengths, tokens, max_rows, None, windows))
    rows = np.arange(len(lengths)) if shuffle is None else shuffle.permutation(len(lengths))
    return np.array_split(rows, count) if count else []


def share_of(batches: list[Ints], rank: int, ranks: int) -> list[Ints]:
    """Return the batches of one process; all processes get the same number, so the first batches may repeat."""
    if ranks == 1 or not batches:
        return batches
    per_rank = -(-len(batches) // ranks)
    return [batches[(rank + ranks * number) % len(batches)] for number in range(per_rank)]


def generator(seed: int, epoch: int) -> np.random.Generator:
    """Return the random generator of one epoch."""
    return np.random.default_rng([seed, epoch])
