"""Logistic regression by scikit-learn, with the strength of its regularisation chosen by cross-validation on train."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mhc.data.options import Strict, read

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression as Estimator

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Features = sparse.csr_matrix | Floats
"""[rows, features]"""

STEPS = 1000
"""Most iterations of a fit."""
EXACT, ROUGH = 1e-4, 1e-3
"""Largest gradient at which a fit ends: of the model, and to compare strengths, which takes half as many iterations."""
UNSEEN = -20.0
"""Bias of a class without rows."""


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A fitted classifier."""

    weight: Floats
    """[features, classes]"""
    bias: Floats
    """[classes]"""
    strength: float
    """Inverse strength of the regularisation, `C` of scikit-learn."""
    scores: Mapping[float, float] = field(default_factory=dict)
    """Macro-F1 of cross-validation by `C`; empty if there was nothing to choose."""
    rows: int = 0
    """Rows of train on which these scores were measured."""


class SolverOptions(Strict, frozen=True, kw_only=True):
    """The node `model.solver`."""

    strengths: Annotated[list[Annotated[float, msgspec.Meta(gt=0)]], msgspec.Meta(min_length=1)]
    """Values of `C` in scikit-learn; the best one is chosen on train, unless there is only one."""
    folds: Annotated[int, msgspec.Meta(ge=2)]
    """Parts of train, each scored by a fit on the others."""
    enough_rows: Annotated[int, msgspec.Meta(ge=1)]
    """No further part is scored once this many rows have been."""


class LogisticRegression:
    """Fits weights to features; `options` are those of `SolverOptions`.

    Raises:
        BadConfig: if an option is not valid; the message names it.
    """

    def __init__(self, **options: object) -> None:
        known = read(options, SolverOptions, "model.solver")
        self.strengths, self.folds, self.enough_rows = sorted(set(known.strengths)), known.folds, known.enough_rows

    def fit(
        self,
        features: Features,
        labels: Ints,
        classes: int,
        *,
        weights: Floats | None = None,
        groups: Ints | None = None,
        seed: int = 0,
    ) -> Solution:
        """Return the classifier of all rows.

        Args:
            features: [rows, features].
            labels: [rows], 0 to classes - 1.
            classes: number of classes.
            weights: of the rows, [rows]; None: all count alike.
            groups: [rows]: an author per row, -1 if unknown; the rows of one are in the same fold.
            seed: of the folds.
        """
        scores: dict[float, float] = {}
        rows = 0
        if len(self.strengths) > 1 and len(np.unique(labels)) > 1:
            folds = self.scored_folds(folds_of(labels, groups, self.folds, seed))
            rows = int(sum(fold.sum() for fold in folds))
            scores = cross_validated(features, labels, weights, folds, self.strengths)
        strength = max(scores, key=scores.__getitem__) if scores else self.strengths[-1]
        weight, bias = solve(features, labels, weights, strength, classes)
        return Solution(weight=weight, bias=bias, strength=strength, scores=scores, rows=rows)

    def scored_folds(self, fold_of_row: Ints) -> list[NDArray[np.bool_]]:
        """Return the rows of each fold that is scored: so many folds that enough rows are."""
        folds = [fold_of_row == number for number in range(self.folds)]
        before = np.cumsum([0, *(fold.sum() for fold in folds)])
        return [fold for fold, rows in zip(folds, before, strict=False) if rows < self.enough_rows and fold.any()]


def folds_of(labels: Ints, groups: Ints | None, folds: int, seed: int) -> Ints:
    """Return the fold of each row, [rows]: each has an equal share of each label, or of the groups if there are any."""
    chance = np.random.default_rng(seed)
    if groups is not None:
        alone = int(groups.max(initial=-1)) + 1 + np.arange(len(groups))
        _, numbers = np.unique(np.where(groups < 0, alone, groups), return_inverse=True)
        result: Ints = chance.permutation(int(numbers.max(initial=0)) + 1)[numbers] % folds
        return result
    order = chance.permutation(len(labels))
    by_label = order[np.argsort(labels[order], kind="stable")]
    result = np.empty(len(labels), np.int64)
    result[by_label] = np.arange(len(labels)) % folds
    return result


def cross_validated(
    features: Features,
    labels: Ints,
    weights: Floats | None,
    folds: Sequence[NDArray[np.bool_]],
    strengths: Sequence[float],
) -> dict[float, float]:
    """Return the macro-F1 over all folds by strength, from the strongest regularisation until it falls twice."""
    scores: dict[float, float] = {}
    for strength in strengths:
        predicted = np.full(len(labels), -1, np.int64)
        for fold in folds:
            others = ~fold
            if len(np.unique(labels[others])) < 2:
                predicted[fold] = labels[others][0] if others.any() else -1
                continue
            part = None if weights is None else weights[others]
            predicted[fold] = fitted(strength, features[others], labels[others], part, ROUGH).predict(features[fold])
        scored = predicted >= 0
        scores[strength] = macro_f1(labels[scored], predicted[scored])
        if fell_twice(list(scores.values())):
            break
    return scores


def fell_twice(scores: Sequence[float]) -> bool:
    """Return whether the last two scores are below the best one before them."""
    return len(scores) > 2 and max(scores[-2:]) < max(scores[:-2])


def macro_f1(labels: Ints, predicted: Ints) -> float:
    """Return the mean over the classes in `labels` of the harmonic mean of precision and recall."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0.0))


def fitted(strength: float, features: Features, labels: Ints, weights: Floats | None, tolerance: float) -> Estimator:
    """Return a fitted estimator of scikit-learn."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression as Estimator

    estimator = Estimator(C=strength, tol=tolerance, max_iter=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its weights are those of an early stop
        estimator.fit(features, labels, sample_weight=weights)
    return estimator


def solve(
    features: Features, labels: Ints, weights: Floats | None, strength: float, classes: int
) -> tuple[Floats, Floats]:
    """Return the weights [features, classes] and the bias [classes]; a class without rows is never predicted."""
    weight, bias = np.zeros((features.shape[1], classes), np.float32), np.full(classes, UNSEEN, np.float32)
    present = np.unique(labels)
    bias[present] = 0.0
    if len(present) > 1:
        estimator = fitted(strength, features, labels, weights, EXACT)
        columns = present[1:] if len(present) == 2 else present  # two classes have one vector, that of the second
        weight[:, columns], bias[columns] = estimator.coef_.T, estimator.intercept_
    return weight, bias
