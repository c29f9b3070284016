"""A network that a user wrote, which fails on request."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class OwnNetwork(nn.Module):
    """The mean of embeddings, and a linear layer."""

    def __init__(
        self, num_labels: int, vocab_size: int, pad_id: int, labels: Any = (), fails_in: str = "", **other: Any
    ) -> None:
        super().__init__()
        if fails_in == "constructor":
            raise ValueError("a width of 31 is not a multiple of 4")
        self.fails_in = fails_in
        self.embeddings = nn.Embedding(vocab_size, 8, padding_idx=pad_id)
        self.output = nn.Linear(8, num_labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        if self.fails_in == "forward":
            raise KeyError("no such head")
        if self.fails_in == "result":
            return None
        logits = self.output(self.embeddings(input_ids).mean(1))
        return logits[:, :2] if self.fails_in == "shape" else logits
