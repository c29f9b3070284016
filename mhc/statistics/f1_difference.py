"""The difference of macro-F1 of two models on the same examples, with its standard error; of a table and of resamples.

Pure numpy. A joint table is [k, k, k]: true class, prediction of the incumbent, prediction of the challenger. Resamples
are computed on its occupied cells alone, at most one per example, as a table of many classes is almost empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mhc.statistics.estimates import Counts, Floats, draw_rows, f1_macro, f1_macro_influence

CHUNK = 1_000_000
"""Numbers that are computed at once."""

Classes = NDArray[np.integer]


def difference_of_f1(joint: Floats) -> tuple[Floats, Floats]:
    """Return the difference of macro-F1 and its standard error (delta method), for joint tables [..., k, k, k]."""
    incumbent, challenger = joint.sum(-1), joint.sum(-2)
    influence = f1_macro_influence(challenger)[..., :, None, :] - f1_macro_influence(incumbent)[..., :, :, None]
    total = joint.sum((-3, -2, -1))
    variance = (joint * influence**2).sum((-3, -2, -1)) / total
    error: Floats = np.sqrt(np.maximum(variance, 0) / total)
    return f1_macro(challenger) - f1_macro(incumbent), error


def resampled_differences(joint: Counts, resamples: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return `difference_of_f1` of each of the stratified bootstrap resamples of a table, [resamples] each."""
    occupied, draws = draw_rows(joint, resamples, rng)
    cells = np.unravel_index(occupied, joint.shape)
    chunks = np.array_split(draws, max(1, draws.size // CHUNK))
    differences, errors = zip(*(_of_draws(chunk, cells, len(joint)) for chunk in chunks), strict=True)
    return np.concatenate(differences), np.concatenate(errors)


def _of_draws(draws: Floats, cells: tuple[Classes, ...], classes: int) -> tuple[Floats, Floats]:
    """Return differences and errors of resamples [n, cells], the counts of the cells (label, incumbent, challenger)."""
    label, incumbent, challenger = cells
    before, influence_before = _f1_and_influence(draws, label, incumbent, classes)
    after, influence_after = _f1_and_influence(draws, label, challenger, classes)
    total = draws.sum(1)
    variance = np.einsum("nc,nc,nc->n", draws, *[influence_after - influence_before] * 2) / total
    return after - before, np.sqrt(np.maximum(variance, 0) / total)


def _f1_and_influence(draws: Floats, label: Classes, predicted: Classes, classes: int) -> tuple[Floats, Floats]:
    """Return macro-F1 [n], and the influence of each cell on it [n, cells], as `estimates.f1_macro_influence`."""
    one_hot = np.eye(classes)
    right = label == predicted
    total = draws.sum(1, keepdims=True)
    hits = draws[:, right] @ one_hot[label[right]]
    sums = draws @ (one_hot[label] + one_hot[predicted])
    share = np.maximum(sums / total, 1e-12)
    weight = 2 * hits / total / share**2
    influence = -(weight[:, label] + weight[:, predicted])
    influence[:, right] += (2 / share)[:, label[right]]
    return (2 * hits / np.maximum(sums, 1)).mean(1), influence / classes
