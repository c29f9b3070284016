"""LoRA (Hu et al. 2021): small trained matrices beside the frozen ones of an encoder, by the library peft.

The network keeps its class; its adapted layers are those of peft. `merged` adds the products of the small matrices to
the frozen ones, after which the network is one of transformers again, and peft is not needed to load it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Annotated

import msgspec
from torch import nn
from transformers.pytorch_utils import Conv1D

from mhc.data import options
from mhc.errors import BadConfig
from mhc.model.adaptation import layers

KEY = "model.network.lora"


class Lora(options.Strict, frozen=True, kw_only=True):
    """Options of the adapters."""

    rank: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Inner size of the two matrices of an adapter."""
    alpha: Annotated[float, msgspec.Meta(gt=0)] = 16
    """The product of the matrices is multiplied by alpha / rank."""
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Of the input of the adapters, while training."""
    targets: list[str] | None = None
    """Names of the adapted matrices, such as [query, value]; None: all of the encoder's layers."""


def read(values: object) -> Lora | None:
    """Return the options of a config; None without adapters.

    Raises:
        BadConfig: if a value is not valid, or peft is not installed.
    """
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise BadConfig(f"{KEY} is {values!r}; it must be null or options, such as {{rank: 8}}")
    result = options.read(values, Lora, KEY)
    if find_spec("peft") is None:
        raise BadConfig(f"{KEY} is set, but peft is not installed. Install with: pip install 'mhc[lora]'")
    return result


def add_adapters(network: nn.Module, lora: Lora) -> None:
    """Add adapters to matrices of the encoder that are not frozen; of all other weights only the head is trained.

    Raises:
        BadConfig: if a target is not among the matrices of the encoder.
    """
    from peft import LoraConfig, inject_adapter_in_model

    matrices = _targets(network, lora.targets)
    head = _head(network)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(matrices),
        fan_in_fan_out=any(isinstance(matrix, Conv1D) for matrix in matrices.values()),
    )
    inject_adapter_in_model(config, network)
    for parameter in head:
        parameter.requires_grad = True


def _targets(network: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Module]:
    """Return the matrices to adapt by their full names.

    Raises:
        BadConfig: if there is no such matrix.
    """
    body = layers.body_of(network)
    prefix = next(name for name, module in network.named_modules() if module is body)
    candidates = {
        f"{prefix}.{name}": module
        for name, module in body.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module.weight.requires_grad and "embed" not in name
    }
    inner = {name: module for name, module in candidates.items() if ".pooler" not in name}
    if names is None:
        return inner
    for target in names:
        if not any(name.endswith(f".{target}") for name in inner):
            known = ", ".join(sorted({name.rpartition(".")[2] for name in inner}))
            raise BadConfig(f"{KEY}.targets has {target!r}, but the matrices of {type(body).__name__} are: {known}")
    return {name: module for name, module in inner.items() if name.endswith(tuple(f".{target}" for target in names))}


def _head(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that read the last layer."""
    body = layers.body_of(network)
    inner = {id(parameter) for name, parameter in body.named_parameters() if not name.startswith("pooler")}
    return [parameter for parameter in network.parameters() if id(parameter) not in inner]


def has_adapters(network: nn.Module) -> bool:
    """Return whether a network has adapters."""
    return any(hasattr(module, "lora_A") for module in network.modules())


def merged(network: nn.Module) -> nn.Module:
    """Return the network with its adapters added to its matrices, as one that has none; it is changed, not copied."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(network.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, last = name.rpartition(".")
            setattr(network.get_submodule(parent), last, module.get_base_layer())
    return network.requires_grad_(True)
