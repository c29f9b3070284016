"""An ensemble: the weighted mean of the probabilities of several models. Pure: numpy and scipy, no torch, no disk.

Each member is used at its own temperature. The weights are those of least log loss on the validation split, which is
convex in them, so there is one best mean; a member that does not help gets the weight 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mhc.data.tokenizer import Encoded, Encoder
from mhc.errors import BadInput
from mhc.model.calibration import apply_temperature

SMALLEST_WEIGHT = 1e-3
"""A member with a smaller share is left out of the mean."""
_TINY = 1e-12


class TextScorer(Protocol):
    """Computes probabilities from ids."""

    def probabilities(
        self, texts: Encoded, classes: int, on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the probabilities [n, classes]."""


class Member(Protocol):
    """A loaded model, as `mhc.model.weights` has it."""

    @property
    def labels(self) -> list[str]:
        """Class names in the order of the outputs."""

    @property
    def temperature(self) -> float:
        """Not yet applied to the outputs."""

    def encoder(self) -> Encoder:
        """Return what encodes texts for the scorer."""

    def scorer(self, *, precision: str = "auto", device: str = "auto", batch_tokens: int | None = None) -> TextScorer:
        """Return what computes probabilities."""


def fit_weights(probabilities: Sequence[NDArray[np.floating]], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weight of each model, at least 0 and 1 together, of least log loss of the weighted mean.

    Args:
        probabilities: of each model, [n, k].
        labels: true classes, [n].

    Raises:
        BadInput: if there are no rows, or the lengths differ.
    """
    from scipy.optimize import minimize

    if len(labels) == 0 or any(len(part) != len(labels) for part in probabilities):
        raise BadInput(f"Weights cannot be fitted on {len(labels)} labels of other or no rows")
    of_label = np.stack([part.astype(np.float64)[np.arange(len(labels)), labels] for part in probabilities])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mean = np.maximum(weights @ of_label, _TINY)
        return float(-np.log(mean).mean()), -(of_label / mean).mean(axis=1)

    number = len(of_label)
    start = np.full(number, 1 / number)
    sums_to_one = {"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": lambda weights: np.ones(number)}
    optimum = minimize(  # type: ignore[call-overload]  # the stubs of scipy know no dict as a constraint
        loss, start, jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * number, constraints=[sums_to_one],
        options={"ftol": 1e-10, "maxiter": 500},
    )  # fmt: skip
    weights = np.where(optimum.x < SMALLEST_WEIGHT, 0.0, optimum.x)
    result: NDArray[np.float64] = weights / weights.sum()
    return result


def mean(probabilities: Sequence[NDArray[np.floating]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Return the weighted mean [n, k]; rows of nan stay nan."""
    total = sum(weight * part.astype(np.float64) for weight, part in zip(weights, probabilities, strict=True) if weight)
    result: NDArray[np.float32] = np.asarray(total, np.float32)
    return result


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Several models with the same labels, each with its temperature, and their weights."""

    members: tuple[Member, ...]
    weights: tuple[float, ...]
    folder: Path
    """Where the members were read from; a bundle gets a copy of it."""

    @property
    def used(self) -> list[Member]:
        """The members with a weight above 0."""
        return [member for member, weight in zip(self.members, self.weights, strict=True) if weight]


@dataclass(frozen=True, kw_only=True)
class EncodedByMembers(Encoded):
    """Texts as the ids of each member; the other fields are those of all members together."""

    parts: tuple[Encoded, ...]


class EnsembleEncoder(Encoder):
    """Encodes texts for each member of an ensemble."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.encoders = [member.encoder() for member in ensemble.used]
        self.folder, self.bag, self.pieces = ensemble.folder, None, None
        self.max_tokens = max(encoder.max_tokens for encoder in self.encoders)

    @property
    def masks(self) -> bool:
        """Whether every member masks texts by itself."""
        return all(encoder.masks for encoder in self.encoders)

    def __call__(self, texts: Sequence[str]) -> EncodedByMembers:
        """Return the ids of the texts, for each member."""
        parts = tuple(encoder(texts) for encoder in self.encoders)
        return EncodedByMembers(
            ids=np.concatenate([part.ids for part in parts]),
            lengths=np.sum([part.lengths for part in parts], axis=0),
            cut=frozenset[int]().union(*(part.cut for part in parts)),
            parts=parts,
        )


class EnsembleScorer:
    """Computes the mean of the members' probabilities."""

    def __init__(self, ensemble: Ensemble, *, precision: str, device: str, batch_tokens: int | None) -> None:
        self.scorers = [
            member.scorer(precision=precision, device=device, batch_tokens=batch_tokens) for member in ensemble.used
        ]
        self.temperatures = [member.temperature for member in ensemble.used]
        self.weights = [weight for weight in ensemble.weights if weight]

    def probabilities(
        self, texts: Encoded, classes: int, on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the probabilities [n, k]; `on_batch` is called with the rows of the last member's batches."""
        assert isinstance(texts, EncodedByMembers)
        last = len(self.scorers) - 1
        parts = [
            apply_temperature(scorer.probabilities(part, classes, on_batch if number == last else None), temperature)
            for number, (scorer, part, temperature) in enumerate(
                zip(self.scorers, texts.parts, self.temperatures, strict=True)
            )
        ]
        return mean(parts, self.weights)
