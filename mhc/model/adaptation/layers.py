"""The layers of an encoder of transformers, from the embeddings up, and how far each weight is from the bottom."""

from __future__ import annotations

from torch import nn

from mhc.errors import BadConfig

BOTTOM = ("embed", "wte", "wpe", "relative_attention_bias", "encoder.LayerNorm")
"""Parts of names of weights that every layer reads: they belong to the embeddings, wherever they are registered."""


def body_of(network: nn.Module) -> nn.Module:
    """Return the encoder of a network, without its head."""
    body = getattr(network, "base_model", network)
    assert isinstance(body, nn.Module)
    return body


def layers_of(network: nn.Module, key: str) -> nn.ModuleList:
    """Return the layers of an encoder, the lowest first.

    Args:
        network: an encoder with its head.
        key: name and value of the option that needs them, for the error.

    Raises:
        BadConfig: if the encoder has no list of layers with their own weights.
    """
    body = body_of(network)
    count = getattr(getattr(body, "config", None), "num_hidden_layers", None)
    for module in body.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count and next(module.parameters(), None) is not None:
            return module
    raise BadConfig(f"{key}, but {type(body).__name__} has no list of layers with weights of its own. Leave it out")


def depths(network: nn.Module, key: str) -> dict[int, int]:
    """Return the depth of each parameter by its id: 0 of the embeddings, 1 to n of the layers, n + 1 of the head.

    The head is all that reads the last layer: a pooler or a final norm of the encoder, too.

    Raises:
        BadConfig: if the encoder has no list of layers with their own weights.
    """
    layers = layers_of(network, key)
    top = len(layers) + 1
    result = {id(parameter): top for parameter in network.parameters()}
    inner = {id(parameter): number for number, layer in enumerate(layers, 1) for parameter in layer.parameters()}
    below = True
    for name, parameter in body_of(network).named_parameters():
        if id(parameter) in inner:
            below = False
        elif below or any(part in name for part in BOTTOM):
            result[id(parameter)] = 0
    return result | inner
