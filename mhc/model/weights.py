"""A trained network made again from files. What a run or a bundle is, `mhc.production.loading` knows.

Weights are read as plain tensors only (`weights_only=True`, safetensors): nothing in the files can run code.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mhc.data import ngrams, tokenizer
from mhc.data.ngrams import NgramTokenizer
from mhc.errors import NotFound, Unreadable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PREFIX = "network."
"""What `TextClassifier` calls the network in its state."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """Everything that turns a text into probabilities."""

    network: nn.Module
    """In float32, in evaluation mode, on the CPU."""
    tokenizer_folder: Path
    labels: list[str]
    """Names in the order of the outputs."""
    max_tokens: int
    """Longest text, special tokens included; longer ones are cut."""
    temperature: float = 1.0
    """Still to be applied: see `mhc.model.calibration`."""
    name: str = ""
    """The run's id or the bundle's name."""

    @property
    def masked(self) -> bool:
        """Whether the network takes an attention_mask; n-grams are padded with an id that has no weight."""
        return not (self.tokenizer_folder / ngrams.FILE).exists()

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast | NgramTokenizer:
        """The tokenizer as transformers knows it, or ours; both have `save_pretrained`."""
        return tokenizer.load(self.tokenizer_folder)


def checkpoint_weights(path: Path) -> dict[str, Tensor]:
    """Return the network's tensors of a Lightning checkpoint; no object in it is ever built.

    Raises:
        NotFound: there is no such file.
        Unreadable: it is cut short, or holds what is no weight.
    """
    if not path.is_file():
        raise NotFound(f"There is no checkpoint {path}. Bring the file back, or choose another run")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise Unreadable(
            f"The checkpoint {path} cannot be read ({type(error).__name__}): it is cut short, or is none of mhc. "
            "Choose another run"
        ) from error
    return {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}


def safe_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        NotFound: there is no such file.
        Unreadable: it is cut short, or is something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise NotFound(f"There are no weights {path}. A bundle's weights are always model.safetensors")
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise Unreadable(f"The weights {path} cannot be read ({type(error).__name__}): they are cut short") from error


def fill(network: nn.Module, weights: Mapping[str, Tensor], source: Path) -> nn.Module:
    """Put the weights into the network, and make it ready to be used.

    Raises:
        Unreadable: they do not fit.
    """
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        own = set(network.state_dict())
        raise Unreadable(
            f"The weights in {source} do not fit the network: {len(own - set(weights))} are missing, "
            f"{len(set(weights) - own)} are not known, others may have another shape. They are of another configuration"
        ) from error
    return network.eval()


def json_object(path: Path) -> dict[str, object]:
    """Return the object in a JSON file.

    Raises:
        NotFound: there is no such file.
        Unreadable: it holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"There is no {path.name} in {path.parent}, so it is no bundle of mhc") from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise Unreadable(f"{path} holds no JSON object")
    return content


def labels_of(config: Mapping[str, object], source: Path) -> list[str]:
    """Return the label names in the order of the outputs, of a config as transformers writes it.

    Raises:
        Unreadable: it has none.
    """
    names = config.get("id2label")
    if not isinstance(names, dict) or set(names) != {str(number) for number in range(len(names))}:
        raise Unreadable(f"{source} has no label names (id2label)")
    return [str(names[str(number)]) for number in range(len(names))]
