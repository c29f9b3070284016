"""Paired tests between runs on their recorded evidence, as in the champion gate; for `mhc compare`. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mhc.errors import BadInput, MhcError
from mhc.policy import PromotionPolicy
from mhc.runs import evidence
from mhc.runs.evidence import Evidence
from mhc.runs.out_of_fold import OutOfFold
from mhc.statistics.paired_comparison import Comparison, compare, joint_table
from mhc.statistics.passes import mean_comparison

FOLDS = "out-of-fold"
"""The name, in place of that of a split, of all rows of a cross-validation."""


class PairedTest(NamedTuple):
    """One run against another on one split."""

    split: str
    incumbent: str
    challenger: str
    comparison: Comparison | None = None
    """None if the two cannot be compared."""
    flaw: str = ""
    """Why not."""

    @property
    def verdict(self) -> str:
        """What the bounds of the difference of macro-F1 say."""
        if self.comparison is None:
            return "not comparable"
        if self.comparison.low > 0:
            return "better"
        return "worse" if self.comparison.high < 0 else "not told apart"


def paired_test(
    split: str, incumbent: Path, challenger: Path, *, picked_from: int, policy: PromotionPolicy
) -> PairedTest:
    """Compare the evidence of two run folders on `val` or `test`, which must be of exactly the same examples.

    `picked_from` is the number of runs from which the challenger was picked by its score.
    """
    names = (split, incumbent.name, challenger.name)
    try:
        first, second = (evidence.read(folder / "evaluation" / f"{split}.npz") for folder in (incumbent, challenger))
        return PairedTest(*names, comparison=_compared(split, first, second, picked_from, policy))
    except (MhcError, OSError) as problem:
        return PairedTest(*names, flaw=str(problem))


def paired_folds(
    names: tuple[str, str], incumbent: OutOfFold, challenger: OutOfFold, *, picked_from: int, policy: PromotionPolicy
) -> PairedTest:
    """Compare the out-of-fold predictions of two models, which must be of exactly the same rows.

    Passes are paired in their order, repeat by repeat; the result is their mean, see `mhc.statistics.passes`.
    """
    passes = _paired_passes(incumbent, challenger)
    if not passes:
        return PairedTest(FOLDS, *names, flaw="they have no repeat of the folds in common")
    try:
        compared = [_compared(FOLDS, first, second, picked_from, policy) for first, second in passes]
    except MhcError as problem:
        return PairedTest(FOLDS, *names, flaw=str(problem))
    return PairedTest(FOLDS, *names, comparison=mean_comparison(compared))


def _paired_passes(incumbent: OutOfFold, challenger: OutOfFold) -> list[tuple[Evidence, Evidence]]:
    pairs: list[tuple[Evidence, Evidence]] = []
    for repeat in dict.fromkeys(repeat for repeat, _ in incumbent.passes):
        first, second = (
            [evidence for key, evidence in model.passes.items() if key[0] == repeat]
            for model in (incumbent, challenger)
        )
        pairs += zip(first, second, strict=False)
    return pairs


def _compared(split: str, first: Evidence, second: Evidence, picked_from: int, policy: PromotionPolicy) -> Comparison:
    """Return the comparison of two models.

    Raises:
        BadInput: if they have other labels, or were scored on other rows.
    """
    paired = evidence.pair(first, second)
    if paired.only_first or paired.only_second:
        common = len(paired.labels)
        raise BadInput(
            f"they were scored on different {split} rows ({len(first)} and {len(second)}, {common} in common)"
        )
    if not len(paired.labels):
        raise BadInput(f"their {split} split has no rows")
    joint = joint_table(paired.labels, paired.first.argmax(1), paired.second.argmax(1), len(paired.label_names))
    random = np.random.default_rng(0)  # fixed, so that the same evidence always gives the same answer
    return compare(joint, policy.champion.level, picked_from, policy.resamples, random)
