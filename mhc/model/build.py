"""Construction of the classifier from the instantiated `model` group of the configuration."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NotRequired, TypedDict, TypeVar, get_type_hints

import msgspec
import torch
from torch import nn

from mhc.data.options import wrong_value
from mhc.errors import BadConfig
from mhc.model.classifier import LossFactory, OptimizerFactory, ScheduleFactory, TextClassifier
from mhc.model.tfidf.classifier import FittedClassifier
from mhc.model.tfidf.logistic import LogisticRegression

Part = TypeVar("Part")
DIRECT = 2
"""Frames of Hydra between a call and the function that it calls: an error that is raised deeper is no one's typing."""

NetworkFactory = Callable[[int, int, int, Sequence[str]], nn.Module]
"""Callable with num_labels, vocab_size, pad_id and labels."""


class ModelParts(TypedDict):
    """Content of conf/model/*.yaml as instantiated by Hydra; `tokenizer` is used by the data module."""

    name: str
    network: NetworkFactory
    tokenizer: dict[str, object]
    optimizer: NotRequired[OptimizerFactory]
    schedule: NotRequired[ScheduleFactory]
    loss: LossFactory
    solver: NotRequired[LogisticRegression]
    fast: NotRequired[str]


def classifier(
    parts: ModelParts, *, labels: Sequence[str], class_counts: Sequence[int], vocab_size: int, pad_id: int, seed: int
) -> TextClassifier:
    """Return the classifier; its initial weights depend on the seed alone, not on earlier random numbers.

    Args:
        parts: the `model` group.
        labels: class names in the order of the logits.
        class_counts: rows of train per class.
        vocab_size: of the tokenizer.
        pad_id: of the tokenizer.
        seed: of the initial weights and of dropout.

    Raises:
        BadConfig: if a text of `max_tokens` is longer than the network reads.
    """
    torch.manual_seed(seed)
    network = call("model.network", parts["network"], len(labels), vocab_size, pad_id, labels)
    max_tokens, long_texts = (parts["tokenizer"].get(key) for key in ("max_tokens", "long_texts"))
    if isinstance(max_tokens, int):
        refuse_longer_texts(network, max_tokens)
    return module_for(parts)(
        network,
        labels=labels,
        class_counts=class_counts,
        loss=partial(call, "model.loss", parts["loss"]),
        name=parts["name"],
        seed=seed,
        max_tokens=max_tokens if isinstance(max_tokens, int) else None,
        long_texts=long_texts if isinstance(long_texts, str) else None,
    )


def module_for(parts: ModelParts) -> Callable[..., TextClassifier]:
    """Return the class of the module with what it trains the network by: a solver, or an optimizer and a schedule."""
    if parts.get("solver"):
        return partial(FittedClassifier, solver=parts["solver"])
    fast = parts.get("fast", "auto")
    optimizer = partial(call, "model.optimizer", parts["optimizer"])
    schedule = partial(call, "model.schedule", parts["schedule"])
    return partial(TextClassifier, optimizer=optimizer, schedule=schedule, fast=fast)


def call(key: str, factory: Callable[..., Part], *arguments: object) -> Part:
    """Return what the factory at `key` of the config builds.

    Raises:
        BadConfig: if the config has a key that the factory does not take, or lacks one that it needs, or if a value is
            of another type than the factory's parameter.
    """
    refuse_wrong_types(key, factory)
    try:
        return factory(*arguments)
    except TypeError as error:
        named = re.search(r"(unexpected keyword|missing \d+ required .*) argument", str(error))
        if named is None or depth_of(error) > DIRECT:
            raise
        raise BadConfig(f"{key} cannot be built: {error}. Correct the keys of {key}") from error


def refuse_wrong_types(key: str, factory: Callable[..., object]) -> None:
    """Check the values of the config by the annotations of the function that gets them.

    Raises:
        BadConfig: if one is of another type; the message names its key.
    """
    if not isinstance(factory, partial):
        return
    annotations = annotations_of(factory.func)
    for name, value in factory.keywords.items():
        try:
            msgspec.convert(value, annotations.get(name, Any))
        except msgspec.ValidationError as error:
            raise BadConfig(f"{wrong_value(f'{key}.{name}', value, str(error))}. Correct {key}.{name}") from error
        except TypeError:  # a type that cannot be checked
            continue


def annotations_of(function: Callable[..., object]) -> dict[str, Any]:
    """Return the types of the parameters of a function or class, by name; empty if they cannot be resolved."""
    try:
        return get_type_hints(function.__init__ if isinstance(function, type) else function)  # type: ignore[misc]
    except (NameError, TypeError):
        return {}


def depth_of(error: BaseException) -> int:
    """Return the number of frames between the handler of an error and the line that raised it."""
    return len(traceback.extract_tb(error.__traceback__)) - 1


def refuse_longer_texts(network: nn.Module, max_tokens: int) -> None:
    """Check that an encoder has a position for every token of the longest text.

    Raises:
        BadConfig: if it has fewer.
    """
    positions = positions_of(network)
    if positions is not None and max_tokens > positions:
        raise BadConfig(
            f"model.tokenizer.max_tokens is {max_tokens}, but the encoder reads at most {positions} tokens. "
            f"Set model.tokenizer.max_tokens={positions}"
        )


def positions_of(network: nn.Module) -> int | None:
    """Return the length of the longest text that an encoder reads, in tokens; None if nothing limits it."""
    for name, module in network.named_modules():
        if name.endswith(("position_embeddings", ".wpe")) and isinstance(module, nn.Embedding):
            # positions of roberta begin after the padding's id
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    config = getattr(network, "config", None)
    rotary = getattr(config, "rope_parameters", None) is not None
    return getattr(config, "max_position_embeddings", None) if rotary else None
