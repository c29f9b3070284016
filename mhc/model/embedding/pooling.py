"""How the vectors of a text's tokens become its vector: as given, or by the settings of sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mhc import files
from mhc.data.embedding.sentence_settings import AUTO, MODULES
from mhc.errors import BadConfig
from mhc.model.pooling import POOLINGS


def mean_by_root(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the sum over the real tokens, divided by the square root of their number."""
    real = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * real).sum(1) / real.sum(1).clamp(min=1).sqrt()


def mean_by_position(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the real tokens, each weighted by its position from 1."""
    return POOLINGS["mean"](hidden * position_weights(mask), mask) / POOLINGS["mean"](position_weights(mask), mask)


def position_weights(mask: Tensor) -> Tensor:
    """Return the position of each token from 1, [rows, tokens, 1]."""
    return torch.arange(1, mask.shape[1] + 1, device=mask.device, dtype=torch.float32).expand(mask.shape).unsqueeze(-1)


def last(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the vector of the last real token; padding is on the right."""
    return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1).clamp(min=1) - 1]


MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    **POOLINGS,
    "mean_sqrt_len_tokens": mean_by_root,
    "weightedmean": mean_by_position,
    "lasttoken": last,
}
"""Functions by their name in the settings of sentence-transformers, which are ours, too."""
_ENDS = {"cls_token": "cls", "max_tokens": "max", "mean_tokens": "mean", "weightedmean_tokens": "weightedmean"}
_SWITCHES = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
PREFIX = "pooling_mode_"
LEGACY = {f"{PREFIX}{switch}": _ENDS.get(switch, switch) for switch in _SWITCHES}
"""Switches of the format before version 6, in the order in which several vectors are put side by side."""


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """The way from the vectors of tokens to the vector of a text."""

    modes: tuple[str, ...]
    """Keys of `MODES`; the vectors of several are put side by side."""
    normalise: bool
    """Whether the vector is scaled to length 1."""

    def __call__(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return vectors [rows, width] from hidden [rows, tokens, width] and mask [rows, tokens]."""
        pooled = torch.cat([MODES[mode](hidden, mask) for mode in self.modes], dim=1)
        return functional.normalize(pooled, dim=1) if self.normalise else pooled

    def plain(self) -> dict[str, object]:
        """Return the values for JSON."""
        return asdict(self) | {"modes": list(self.modes)}

    @classmethod
    def of_plain(cls, values: Any) -> Pooling:
        """Return the pooling of the values of `plain`.

        Raises:
            ValueError: if they are others.
        """
        modes, normalise = tuple(values["modes"]), values["normalise"]
        if not modes or not set(modes) <= set(MODES) or not isinstance(normalise, bool):
            raise ValueError("there is no such pooling")
        return cls(modes=modes, normalise=normalise)


Find = Callable[[str], Path | None]
"""Called with a path within the model's folder; returns where the file is, None if the model has none."""


def chosen(setting: str, name: str, find: Find) -> Pooling:
    """Return the pooling that the value of `model.network.pooling` stands for.

    A vector is scaled to length 1, unless the model's own settings leave it as it is.

    Args:
        setting: auto, or a key of `MODES`.
        name: of the model.
        find: finds its files.

    Raises:
        BadConfig: if there is no such pooling, or the model's own settings cannot be computed here.
        Unreadable: if its settings are damaged.
    """
    if setting != AUTO:
        if setting not in MODES:
            raise BadConfig(f"model.network.pooling is {setting!r}; it must be one of {AUTO}, {', '.join(MODES)}")
        return Pooling(modes=(setting,), normalise=True)
    return of_sentence_transformers(name, find) or Pooling(modes=("mean",), normalise=True)


def of_sentence_transformers(name: str, find: Find) -> Pooling | None:
    """Return the pooling in a model's settings of sentence-transformers; None if it has none.

    Raises:
        BadConfig: if they have other parts than an encoder, a pooling and a scaling to length 1.
        Unreadable: if they are damaged.
    """
    modules = find(MODULES)
    if modules is None:
        return None
    with files.reading(modules):
        parts = [(str(part["type"]).rpartition(".")[2], str(part["path"])) for part in json.loads(files.read(modules))]
    kinds = [kind for kind, _ in parts]
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]):
        raise BadConfig(
            f"The settings of sentence-transformers of {name!r} have the parts {', '.join(kinds)}; only Transformer, "
            "Pooling and Normalize can be computed here. Set model.network.pooling=mean"
        )
    config = find(f"{parts[1][1]}/config.json")
    if config is None:
        raise BadConfig(f"{name!r} has no {parts[1][1]}/config.json. Set model.network.pooling=mean")
    with files.reading(config):
        modes = modes_of(json.loads(files.read(config)))
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise BadConfig(
            f"The settings of sentence-transformers of {name!r} have the pooling {', '.join(unknown)}, which is none "
            f"of {', '.join(MODES)}. Set model.network.pooling=mean"
        )
    return Pooling(modes=modes, normalise=len(kinds) > 2)


def modes_of(values: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the modes in a config of sentence-transformers, of any version."""
    mode = values.get("pooling_mode")
    listed = [mode] if isinstance(mode, str) else list(mode or [])
    switched = [name for key, name in LEGACY.items() if values.get(key)]
    unknown = [
        key.removeprefix(PREFIX) for key in values if key.startswith(PREFIX) and key not in LEGACY and values[key]
    ]
    return tuple(listed or [*switched, *unknown] or ["mean"])
