"""What training minimises: cross entropy or focal loss, with class weights and label smoothing for imbalance.

Each function returns a module that is called with logits [batch, classes] and labels [batch] and gives a scalar in
nats, calculated in float32 whatever the precision of the network. Validation reports the plain log loss of
`mhc.metrics` whatever is minimised here, so that runs stay comparable.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mhc.errors import BadConfig

WEIGHTS = ("none", "sqrt", "balanced")


def class_weights(kind: str, counts: Sequence[int]) -> Tensor | None:
    """Weight per class, shape [classes], with mean 1 over the rows of train; None for `none`.

    `balanced` is inverse to the class's share (every class counts as much as every other), `sqrt` inverse to its
    root (half way, calmer where classes have a handful of rows).
    """
    if kind not in WEIGHTS:
        raise BadConfig(f"model.loss.weights is {kind!r}; it must be one of {', '.join(WEIGHTS)}.")
    if kind == "none":
        return None
    rows = torch.tensor(counts, dtype=torch.float64).clamp(min=1)
    weights = 1 / rows if kind == "balanced" else 1 / rows.sqrt()
    return (weights * rows.sum() / (weights * rows).sum()).float()


class CrossEntropy(nn.Module):
    """Cross entropy with class weights and label smoothing (Szegedy et al. 2016)."""

    weights: Tensor | None

    def __init__(self, class_counts: Sequence[int], weights: str = "none", label_smoothing: float = 0.0) -> None:
        super().__init__()
        _check_share("label_smoothing", label_smoothing)
        self.label_smoothing = label_smoothing
        self.register_buffer("weights", class_weights(weights, class_counts), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean over the batch; with class weights, the mean weighted by them."""
        return functional.cross_entropy(
            logits.float(), labels, weight=self.weights, label_smoothing=self.label_smoothing
        )


class Focal(nn.Module):
    """Focal loss (Lin et al. 2017): (1 - p)^gamma times the cross entropy, so that easy rows count less."""

    weights: Tensor | None

    def __init__(self, class_counts: Sequence[int], weights: str = "none", gamma: float = 2.0) -> None:
        super().__init__()
        if gamma < 0:
            raise BadConfig(f"model.loss.gamma is {gamma}; it must be 0 or more.")
        self.gamma = gamma
        self.register_buffer("weights", class_weights(weights, class_counts), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean over the batch; with class weights, the mean weighted by them."""
        log_p = functional.log_softmax(logits.float(), dim=1).gather(1, labels[:, None])[:, 0]
        losses = -((1 - log_p.exp()) ** self.gamma) * log_p
        if self.weights is None:
            return losses.mean()
        weights = self.weights[labels]
        return (losses * weights).sum() / weights.sum()


def _check_share(key: str, value: float) -> None:
    if not 0 <= value < 1:
        raise BadConfig(f"model.loss.{key} is {value}; it must be at least 0 and below 1.")
