"""From the instantiated `model` group of the configuration to a classifier that is ready to be trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

import torch
from torch import nn

from mhc.model.classifier import LossFactory, OptimizerFactory, ScheduleFactory, TextClassifier

NetworkFactory = Callable[[int, int, int, Sequence[str]], nn.Module]
"""Called with num_labels, vocab_size, pad_id and labels."""


class ModelParts(TypedDict):
    """conf/model/*.yaml after Hydra has instantiated it; `tokenizer` belongs to the data module."""

    name: str
    network: NetworkFactory
    tokenizer: dict[str, object]
    optimizer: OptimizerFactory
    schedule: ScheduleFactory
    loss: LossFactory
    fast: NotRequired[str]


def classifier(
    parts: ModelParts, *, labels: Sequence[str], class_counts: Sequence[int], vocab_size: int, pad_id: int, seed: int
) -> TextClassifier:
    """The classifier; its first weights depend on the seed alone, whatever was drawn before."""
    torch.manual_seed(seed)
    network = parts["network"](len(labels), vocab_size, pad_id, labels)
    max_tokens = parts["tokenizer"].get("max_tokens")
    return TextClassifier(
        network,
        labels=labels,
        class_counts=class_counts,
        optimizer=parts["optimizer"],
        schedule=parts["schedule"],
        loss=parts["loss"],
        name=parts["name"],
        seed=seed,
        max_tokens=max_tokens if isinstance(max_tokens, int) else None,
        fast=parts.get("fast", "auto"),
    )
