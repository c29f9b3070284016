"""Frozen and re-initialised layers, gradient checkpointing and adapters of a pretrained encoder, before it trains."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from mhc.errors import BadConfig
from mhc.model.adaptation import layers, lora


def prepare(
    network: nn.Module,
    *,
    freeze_layers: int = 0,
    reinit_layers: int = 0,
    gradient_checkpointing: bool = False,
    adapters: lora.Lora | None = None,
) -> None:
    """Change an encoder of transformers in place.

    Args:
        network: with its head.
        freeze_layers: number of layers, from the bottom, that keep their weights, together with the embeddings.
        reinit_layers: number of layers, from the top, that get new random weights, with the pooler of the encoder
            (Zhang et al. 2021).
        gradient_checkpointing: whether the backward computes the outputs of the layers again instead of storing them.
        adapters: options of LoRA; None: the weights themselves are trained.

    Raises:
        BadConfig: if the encoder has fewer layers, no list of them, or no gradient checkpointing, or two options
            contradict each other.
    """
    if not isinstance(gradient_checkpointing, bool):
        raise BadConfig(f"model.network.gradient_checkpointing is {gradient_checkpointing!r}; it must be true or false")
    _check(network, freeze_layers, reinit_layers, adapters)
    if reinit_layers:
        reinitialise(network, reinit_layers)
    if freeze_layers:
        freeze(network, freeze_layers)
    if adapters:
        lora.add_adapters(network, adapters)
    if gradient_checkpointing:
        use_gradient_checkpointing(network)


def _check(network: nn.Module, freeze_layers: int, reinit_layers: int, adapters: lora.Lora | None) -> None:
    for name, number in (("freeze_layers", freeze_layers), ("reinit_layers", reinit_layers)):
        key = f"model.network.{name} is {number!r}"
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise BadConfig(f"{key}; it must be 0 or a number of layers")
        if number and number > len(layers.layers_of(network, key)):
            own = len(layers.layers_of(network, key))
            raise BadConfig(f"{key}, but the encoder has {own} layers. Give at most {own}")
    if reinit_layers and adapters:
        raise BadConfig(
            f"model.network.reinit_layers is {reinit_layers}, but with {lora.KEY} those layers would stay random. "
            "Leave out one of them"
        )
    if freeze_layers and reinit_layers:
        own = len(layers.layers_of(network, "model.network.freeze_layers"))
        if freeze_layers + reinit_layers > own:
            raise BadConfig(
                f"model.network.freeze_layers is {freeze_layers} and model.network.reinit_layers {reinit_layers}, but "
                f"the encoder has {own} layers: frozen ones would stay random. Give at most {own} together"
            )


def freeze(network: nn.Module, count: int) -> None:
    """Exclude the embeddings and the lowest layers from training."""
    depths = layers.depths(network, f"model.network.freeze_layers is {count}")
    for parameter in network.parameters():
        if depths[id(parameter)] <= count:
            parameter.requires_grad = False


def reinitialise(network: nn.Module, count: int) -> None:
    """Draw new weights of the highest layers and of the encoder's pooler, as transformers initialises them."""
    body = layers.body_of(network)
    assert isinstance(body, PreTrainedModel)
    top = list(layers.layers_of(network, f"model.network.reinit_layers is {count}"))[-count:]
    pooler = getattr(body, "pooler", None)
    for part in [*top, *([pooler] if isinstance(pooler, nn.Module) else [])]:
        for tensor in (*part.parameters(), *part.buffers()):
            tensor._is_hf_initialized = False  # type: ignore[attr-defined]  # else its initialisation does nothing
        for module in part.modules():
            body._init_weights(module)


def use_gradient_checkpointing(network: nn.Module) -> None:
    """Compute the outputs of the layers again in the backward.

    Raises:
        BadConfig: if transformers does not have it for the encoder.
    """
    body = layers.body_of(network)
    if not isinstance(body, PreTrainedModel) or not body.supports_gradient_checkpointing:
        raise BadConfig(f"model.network.gradient_checkpointing is true, but {type(body).__name__} does not support it")
    if hasattr(body.config, "use_cache"):
        body.config.use_cache = False
    body.activation_checkpointing_enable({"use_reentrant": False})
