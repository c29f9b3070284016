"""What a network offers that `mhc.model.tfidf.classifier` fits: features of texts, and a place for the solution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

if TYPE_CHECKING:
    from mhc.data.tokenizer import Encoded
    from mhc.model.tfidf.logistic import Features, Solution


class FittedNetwork(nn.Module, ABC):
    """A linear classifier over features that are computed, not trained."""

    def prepare(self, tokenizer: Any, cache: Path, max_tokens: int | None) -> None:
        """Take what is known before the fit: the tokenizer, the folder of the cache and the length of a text."""
        return

    def exchange(self, own: Encoded) -> None:
        """Compute what is costly for the texts of this process, and exchange it with the other processes."""
        return

    @abstractmethod
    def features(self, texts: Encoded) -> Features:
        """Return the features of train, and remember what they depend on: rarities, means and spreads."""

    @abstractmethod
    def solve(self, solution: Solution) -> None:
        """Take the weights of these features."""

    @abstractmethod
    def probabilities(self, texts: Encoded, classes: int) -> NDArray[np.float32]:
        """Return probabilities [texts, classes]."""

    def save_config(self, folder: Path) -> None:
        """Write what is needed, besides the run's config and tokenizer, to build the network again."""
        return

    def finish(self) -> str:
        """End a pass over a split; return a sentence about what was computed, empty if there is nothing to tell."""
        return ""
