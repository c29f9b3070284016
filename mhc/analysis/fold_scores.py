"""Out-of-fold scores of the groups of runs that are folds of one cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mhc.errors import MhcError
from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.runs import store
from mhc.runs.out_of_fold import OutOfFold, join
from mhc.statistics import passes
from mhc.statistics.estimates import Interval


class FoldScores(NamedTuple):
    """Accuracy and macro-F1 over all rows of all folds."""

    rows: int = 0
    passes: int = 0
    """Predictions of each row: one for each repeat and each seed."""
    accuracy: Interval | None = None
    """None if the folds cannot be joined, as for `f1_macro`."""
    f1_macro: Interval | None = None
    flaw: str = ""
    """Why they cannot be joined."""


def out_of_fold(index: Index, rows: Sequence[Row]) -> OutOfFold:
    """Return the joined evidence of the folds among the runs.

    Raises:
        MhcError: if they cannot be joined.
    """
    records = index.record_json([row.path for row in rows if row.fold is not None])
    return join((index.folder(path), store.decode(content, index.folder(path))) for path, content in records.items())


def fold_scores(index: Index, rows: Sequence[Row], confidence: float, resamples: int) -> FoldScores | None:
    """Return the scores of the folds among the runs of a group; None if no run is a fold."""
    if all(row.fold is None for row in rows):
        return None
    try:
        joined = out_of_fold(index, rows)
    except MhcError as problem:
        return FoldScores(flaw=str(problem))
    predictions = [(evidence.labels, evidence.probabilities) for evidence in joined.passes.values()]
    accuracy, f1_macro = passes.scores(predictions, confidence, resamples)
    return FoldScores(joined.runs[0].facts.rows, len(predictions), accuracy, f1_macro)
