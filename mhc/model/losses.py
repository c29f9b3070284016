"""Training losses: cross entropy or focal loss, with class weights and label smoothing for imbalance.

Each loss is a module that is called with logits [batch, classes] and labels [batch] and returns a scalar in nats,
computed in float32 in every precision of the network. Validation always reports the plain log loss of `mhc.metrics`, so
that runs with different training losses are comparable.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mhc.errors import BadConfig

WEIGHTS = ("none", "sqrt", "balanced")


def class_weights(kind: str, counts: Sequence[int]) -> Tensor | None:
    """Return a weight per class, [classes], with mean 1 over the rows of train; None for `none`.

    Args:
        kind: `none`, `balanced` (inverse to the frequency of the class: all classes have the same total weight), or
            `sqrt` (inverse to its square root: more stable if a class has only a few rows).
        counts: rows of train per class, [classes].

    Raises:
        BadConfig: if there is no such kind.
    """
    if kind not in WEIGHTS:
        raise BadConfig(f"model.loss.weights is {kind!r}; it must be one of {', '.join(WEIGHTS)}")
    if kind == "none":
        return None
    rows = torch.tensor(counts, dtype=torch.float64).clamp(min=1)
    weights = 1 / rows if kind == "balanced" else 1 / rows.sqrt()
    return (weights * rows.sum() / (weights * rows).sum()).float()


class CrossEntropy(nn.Module):
    """Cross entropy with class weights and label smoothing (Szegedy et al. 2016).

    Args:
        class_counts: rows of train per class.
        weights: kind of class weights: none, sqrt or balanced.
        label_smoothing: probability mass spread evenly over all classes, at least 0 and below 1.

    Raises:
        BadConfig: if a value is out of its range.
    """

    weights: Tensor | None

    def __init__(self, class_counts: Sequence[int], weights: str = "none", label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise BadConfig(f"model.loss.label_smoothing is {label_smoothing}; it must be at least 0 and below 1")
        self.label_smoothing = label_smoothing
        self.register_buffer("weights", class_weights(weights, class_counts), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch, weighted by the class weights if there are any."""
        return functional.cross_entropy(
            logits.float(), labels, weight=self.weights, label_smoothing=self.label_smoothing
        )


class Focal(nn.Module):
    """Focal loss (Lin et al. 2017): (1 - p)^gamma times the cross entropy, so that easy rows count less.

    Args:
        class_counts: rows of train per class.
        weights: kind of class weights: none, sqrt or balanced.
        gamma: 0 or more; 0 is cross entropy.

    Raises:
        BadConfig: if a value is out of its range.
    """

    weights: Tensor | None

    def __init__(self, class_counts: Sequence[int], weights: str = "none", gamma: float = 2.0) -> None:
        super().__init__()
        if gamma < 0:
            raise BadConfig(f"model.loss.gamma is {gamma}; it must be 0 or more")
        self.gamma = gamma
        self.register_buffer("weights", class_weights(weights, class_counts), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch, weighted by the class weights if there are any."""
        log_p = functional.log_softmax(logits.float(), dim=1).gather(1, labels[:, None])[:, 0]
        losses = -((1 - log_p.exp()) ** self.gamma) * log_p
        if self.weights is None:
            return losses.mean()
        weights = self.weights[labels]
        return (losses * weights).sum() / weights.sum()
