"""The fitted numbers of `TfidfModel` as a module of torch, as Lightning trains, checks and saves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.data.tokenizer import Encoded
from mhc.model.fitted_network import FittedNetwork
from mhc.model.tfidf.logistic import Features, Solution
from mhc.model.tfidf.model import TfidfModel, counts, features, rarity_of


class TfidfLinear(FittedNetwork):
    """Network from ids of n-grams to class scores; it is calculated on the CPU, wherever its numbers are."""

    first_piece: Tensor
    rarity: Tensor

    def __init__(self, num_labels: int, vocab_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(vocab_size, num_labels))
        self.bias = nn.Parameter(torch.zeros(num_labels))
        self.register_buffer("rarity", torch.zeros(vocab_size))
        self.register_buffer("first_piece", torch.tensor(vocab_size))

    @torch.no_grad()
    def take(self, fitted: TfidfModel) -> None:
        """Copy the numbers of a fitted model."""
        for own, value in (
            (self.weight, fitted.weight),
            (self.bias, fitted.bias),
            (self.rarity, fitted.rarity),
            (self.first_piece, np.asarray(fitted.first_piece)),
        ):
            own.copy_(torch.from_numpy(value))

    def model(self) -> TfidfModel:
        """Return the numbers without torch; they share its memory on a CPU."""
        weight, bias, rarity = (
            tensor.detach().float().cpu().numpy() for tensor in (self.weight, self.bias, self.rarity)
        )
        return TfidfModel(weight=weight, bias=bias, rarity=rarity, first_piece=int(self.first_piece))

    def prepare(self, tokenizer: TfidfTokenizer, cache: Path, max_tokens: int | None) -> None:
        """Take the border between the ids of terms and of pieces."""
        with torch.no_grad():
            self.first_piece.fill_(tokenizer.first_piece)

    def features(self, texts: Encoded) -> Features:
        """Return the TF-IDF of train, and remember the rarities."""
        counted = counts(texts.ids, texts.lengths, self.rarity.numel())
        rarity = rarity_of(counted)
        with torch.no_grad():
            self.rarity.copy_(torch.from_numpy(rarity))
        return features(counted, rarity, int(self.first_piece))

    @torch.no_grad()
    def solve(self, solution: Solution) -> None:
        """Take the fitted weights."""
        self.weight.copy_(torch.from_numpy(solution.weight))
        self.bias.copy_(torch.from_numpy(solution.bias))

    def probabilities(self, texts: Encoded, classes: int) -> NDArray[np.float32]:
        """Return probabilities [texts, classes]."""
        return self.model().probabilities(texts, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits [batch, classes] from input_ids [batch, n-grams]; the padding id has no weight."""
        ids = input_ids.cpu().numpy()
        lengths = np.full(len(ids), ids.shape[1], np.int64)
        return torch.from_numpy(self.model().logits(ids.reshape(-1), lengths)).to(self.weight.device)


def tfidf_linear(num_labels: int, vocab_size: int, pad_id: int, labels: Sequence[str]) -> TfidfLinear:
    """Return the network of `conf/model/linear.yaml`, to be fitted.

    Args:
        num_labels: number of classes.
        vocab_size: number of ids, padding included.
        pad_id: of the tokenizer, which is 0.
        labels: class names in the order of the logits.
    """
    return TfidfLinear(num_labels, vocab_size)
