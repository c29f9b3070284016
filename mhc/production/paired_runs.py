"""Paired tests between runs on their recorded evidence, as in the champion gate; for `mhc compare`. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mhc.errors import MhcError
from mhc.policy import PromotionPolicy
from mhc.runs import evidence
from mhc.statistics.paired_comparison import Comparison, compare, joint_table


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
        paired = evidence.pair(first, second)
    except (MhcError, OSError) as problem:
        return PairedTest(*names, flaw=str(problem))
    if paired.only_first or paired.only_second:
        common = len(paired.labels)
        return PairedTest(
            *names,
            flaw=f"they were scored on different {split} rows ({len(first)} and {len(second)}, {common} in common)",
        )
    if not len(paired.labels):
        return PairedTest(*names, flaw=f"their {split} split has no rows")
    joint = joint_table(paired.labels, paired.first.argmax(1), paired.second.argmax(1), len(paired.label_names))
    random = np.random.default_rng(0)  # fixed, so that the same evidence always gives the same answer
    level, resamples = policy.champion.level, policy.resamples
    return PairedTest(*names, comparison=compare(joint, level, picked_from, resamples, random))
