"""Trained weights read from files; `mhc.production.loading` applies this to runs and bundles.

Weights are read as plain tensors only (`weights_only=True`, safetensors): the files cannot execute code. torch is
imported with the first network that needs it: a linear model does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mhc import files
from mhc.data import ngrams, tokenizer
from mhc.data.embedding import tokenizer as embedding
from mhc.data.options import LongTexts
from mhc.data.tfidf import tokenizer as tfidf
from mhc.data.tokenizer import Encoder
from mhc.errors import BadConfig, NotFound, Unreadable
from mhc.hardware import PRECISIONS
from mhc.model.ensemble import Ensemble, EnsembleEncoder, EnsembleScorer
from mhc.model.tfidf.model import TfidfModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from transformers import PreTrainedTokenizerFast

    from mhc.data.tokenizer import Bag
    from mhc.model.embedding.network import EmbeddingLinear
    from mhc.model.scoring import Scorer

PREFIX = "network."
"""Prefix of the network's tensors in the state of `TextClassifier`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """Trained network with its tokenizer, labels and temperature."""

    network: nn.Module | TfidfModel | Ensemble
    """In float32, in evaluation mode, on the CPU."""
    tokenizer_folder: Path
    labels: list[str]
    """Class names in the order of the outputs."""
    max_tokens: int
    """Longest text including special tokens; longer ones are read as `reading` has it."""
    reading: LongTexts = tokenizer.CUT
    """How longer texts are read."""
    temperature: float = 1.0
    """Not yet applied to the outputs: see `mhc.model.calibration`."""
    name: str = ""
    """Id of the run or name of the bundle."""
    repairs: bool = False
    """Whether texts are mended before they are tokenized, as in its training (`data.cleaning.repair`)."""

    @property
    def masked(self) -> bool:
        """Whether the network takes an attention_mask; n-grams are padded with an id that has no weight."""
        return not any((self.tokenizer_folder / name).is_file() for name in (ngrams.FILE, tfidf.FILE, embedding.FILE))

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast | Bag:
        """Tokenizer of transformers, or of n-grams; all have `save_pretrained`."""
        return tokenizer.load(self.tokenizer_folder)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return probabilities [n, k] of normalised texts in float32, without the temperature."""
        scorer = self.scorer(precision="fp32", device="cpu")
        return scorer.probabilities(self.encoder()(texts), len(self.labels))

    def encoder(self) -> Encoder:
        """Return what encodes texts for the scorer."""
        if isinstance(self.network, Ensemble):
            return EnsembleEncoder(self.network)
        return Encoder(self.tokenizer_folder, self.max_tokens, self.reading)

    def scorer(
        self, *, precision: str = "auto", device: str = "auto", batch_tokens: int | None = None
    ) -> Scorer | TfidfModel | EmbeddingLinear | EnsembleScorer:
        """Return what computes probabilities from token ids; the network is used, not copied.

        Raises:
            BadConfig: if there is no such precision or device, or `batch_tokens` is below 1.
        """
        if isinstance(self.network, Ensemble):
            return EnsembleScorer(self.network, precision=precision, device=device, batch_tokens=batch_tokens)
        if isinstance(self.network, TfidfModel):
            return on_cpu(self.network, precision, device)
        if (self.tokenizer_folder / embedding.FILE).is_file():
            from mhc.model.embedding.network import on_device

            return on_device(self.network, precision, device)
        from mhc.model.scoring import Scorer

        return Scorer(
            self.network,
            pad_id=tokenizer.Encoder(self.tokenizer_folder, self.max_tokens).pad_id,
            masked=self.masked,
            precision=precision,
            device=device,
            batch_tokens=batch_tokens,
        )


def on_cpu(model: TfidfModel, precision: str, device: str) -> TfidfModel:
    """Return a linear model, which is always computed in float32 on the CPU.

    Raises:
        BadConfig: if there is no such precision, or another device is asked for.
    """
    if precision not in PRECISIONS:
        raise BadConfig(f"precision={precision} is none of {', '.join(PRECISIONS)}")
    if device not in ("auto", "cpu"):
        raise BadConfig(f"device={device}, but a linear model is computed on the CPU. Leave out device=")
    return model


def checkpoint_weights(path: Path) -> dict[str, Tensor]:
    """Return the network's tensors of a Lightning checkpoint; no other object in it is constructed.

    Raises:
        NotFound: if there is no such file.
        Unreadable: if it is cut short, or contains other objects than weights.
    """
    try:
        with files.reading(f"The checkpoint {path}", "Restore the file, or choose another run"):
            import torch

            files.require_regular(path)
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
            return {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}
    except FileNotFoundError:
        raise NotFound(f"There is no checkpoint {path}. Restore the file, or choose another run") from None


def safe_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        NotFound: if there is no such file.
        Unreadable: if it is cut short, or of another format.
    """
    from safetensors.torch import load_file

    try:
        with files.reading(f"The file of weights {path}"):
            files.require_regular(path)
            return load_file(path)
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}. The weights of a bundle are always in model.safetensors") from None


def fill(network: nn.Module, weights: Mapping[str, Tensor], source: Path) -> nn.Module:
    """Load the weights into the network and return it in evaluation mode.

    Raises:
        Unreadable: if names or shapes do not match.
    """
    try:
        network.load_state_dict(weights, strict=True)
    except (RuntimeError, AttributeError, TypeError) as error:  # something in the file is not a tensor
        own = set(network.state_dict())
        raise Unreadable(
            f"The weights in {source} do not fit the network: {len(own - set(weights))} are missing, "
            f"{len(set(weights) - own)} are unknown, others may have another shape. They are of another configuration"
        ) from error
    return network.eval()


def json_object(path: Path) -> dict[str, object]:
    """Return the object in a JSON file.

    Raises:
        NotFound: if there is no such file.
        Unreadable: if it contains no JSON object.
    """
    try:
        with files.reading(path):
            content = json.loads(files.read(path))
    except FileNotFoundError:
        raise NotFound(f"There is no {path.name} in {path.parent}: it is not a bundle of mhc") from None
    if not isinstance(content, dict):
        raise Unreadable(f"{path} contains no JSON object")
    return content


def labels_of(config: Mapping[str, object], source: Path) -> list[str]:
    """Return the label names of a config of transformers, in the order of the outputs.

    Raises:
        Unreadable: if it has none, or only one.
    """
    names = config.get("id2label")
    if not isinstance(names, dict) or set(names) != {str(number) for number in range(len(names))}:
        raise Unreadable(f"{source} has no label names (id2label)")
    if len(names) < 2:
        raise Unreadable(f"{source} has {len(names)} label names (id2label); a classifier has at least 2")
    return [str(names[str(number)]) for number in range(len(names))]
