"""A frozen encoder with a fitted linear layer on its vectors, beside TF-IDF if the tokenizer has n-grams."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, distributed, nn
from transformers import PretrainedConfig

from mhc import files
from mhc.data.embedding.sentence_settings import AUTO
from mhc.data.embedding.tokenizer import ENCODER, EmbeddingTokenizer
from mhc.data.embedding.vector_cache import VectorCache, keys_of
from mhc.data.tokenizer import Encoded
from mhc.errors import BadConfig
from mhc.hardware import PRECISIONS
from mhc.model.embedding import encoder as encoders
from mhc.model.embedding.encoder import Floats, FrozenEncoder, Ints
from mhc.model.embedding.pooling import Pooling
from mhc.model.fitted_network import FittedNetwork
from mhc.model.scoring import device_of
from mhc.model.tfidf import model as tfidf
from mhc.model.tfidf.logistic import Features, Solution

FILE = "embedding.json"
"""Beside the config of the encoder in the folder of a run: the pooling."""
SHARE = 1.5
"""Root of the mean squared length of the scaled vectors of train. Each of the two parts of TF-IDF has the length 1."""
TERMS, ENCODING = "tfidf", "encoder"


class EmbeddingLinear(FittedNetwork):
    """Network from the ids of an `EmbeddingTokenizer` to class scores.

    The encoder is computed on the device of its weights, the linear layer in numpy.

    Args:
        encoder: gives the vectors.
        num_labels: number of classes.
        vocab_size: number of ids of the n-grams' weights, those of the encoder included; 0: there are no n-grams.
    """

    rarity: Tensor
    first_term: Tensor
    first_piece: Tensor

    def __init__(self, encoder: FrozenEncoder, num_labels: int, vocab_size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dense = nn.Parameter(torch.zeros(encoder.width, num_labels))
        self.weight = nn.Parameter(torch.zeros(vocab_size, num_labels))
        self.bias = nn.Parameter(torch.zeros(num_labels))
        self.register_buffer("rarity", torch.zeros(vocab_size))
        self.register_buffer("first_term", torch.tensor(1 << 40))
        self.register_buffer("first_piece", torch.tensor(1 << 40))
        self.cache: VectorCache | None = None
        """Of a training; None: vectors are computed and forgotten, as in predictions."""
        self._mean: NDArray[np.float64] = np.zeros(encoder.width)
        self._scale = 1.0

    @property
    def config(self) -> PretrainedConfig:
        """Config of the encoder."""
        return self.encoder.config

    def save_config(self, folder: Path) -> None:
        """Write what is needed to build the network again without the source of its encoder."""
        self.config.save_pretrained(folder / ENCODER)
        (folder / FILE).write_text(json.dumps(self.encoder.pooling.plain()) + "\n", encoding="utf-8")

    def prepare(self, tokenizer: EmbeddingTokenizer, cache: Path, max_tokens: int | None) -> None:
        """Take the borders of the ids, and open the cache of the vectors.

        Raises:
            BadConfig: if the tokenizer has ids that the encoder does not have.
        """
        pieces, ids = self.config.vocab_size, tokenizer.first_term - 1
        if pieces < ids:
            raise BadConfig(
                f"model.network.name has {pieces} word pieces, but its tokenizer has {ids}; set "
                "model.tokenizer.name to the same model"
            )
        with torch.no_grad():
            self.first_term.fill_(tokenizer.first_term)
            self.first_piece.fill_(tokenizer.first_piece)
        if self.cache is None:
            key = self.encoder.key(max_tokens or tokenizer.max_tokens)
            self.cache = VectorCache(cache / "vectors" / key, self.encoder.width)

    def exchange(self, own: Encoded) -> None:
        """Compute the vectors of the texts of this process, and send them to the others."""
        assert self.cache is not None
        if not (distributed.is_available() and distributed.is_initialized()):
            return
        ids, lengths = self.tokens(own)
        entries = dict(zip(keys_of(ids, lengths), self.vectors(own), strict=True))
        parts = [entries] * distributed.get_world_size()
        distributed.all_gather_object(parts, entries)
        for part in parts:
            self.cache.add(part)

    def finish(self) -> str:
        """Write the new vectors into the cache, and say how many texts were computed."""
        assert self.cache is not None
        self.cache.write()
        computed, texts = self.cache.computed, self.cache.texts
        return f"{computed:,} of {texts:,} texts were computed by the encoder, {texts - computed:,} were in the cache"

    def tokens(self, texts: Encoded) -> tuple[Ints, Ints]:
        """Return the ids of the encoder, concatenated, and their number per text."""
        return part(texts, texts.ids < int(self.first_term), -1)

    def terms(self, texts: Encoded) -> sparse.csr_matrix:
        """Return the counts of n-grams, [texts, ids]."""
        ids, lengths = part(texts, texts.ids >= int(self.first_term), 0)
        return tfidf.counts(ids, lengths, len(self.rarity))

    def vectors(self, texts: Encoded) -> Floats:
        """Return the vectors of the encoder, [texts, width]."""
        ids, lengths = self.tokens(texts)
        return (
            self.cache.vectors(ids, lengths, self.encoder.vectors) if self.cache else self.encoder.vectors(ids, lengths)
        )

    def features(self, texts: Encoded) -> Features:
        """Return the vectors of train, each column with mean 0, scaled together, and its TF-IDF beside them."""
        vectors = self.vectors(texts).astype(np.float64)
        self._mean = vectors.mean(axis=0)
        self._scale = spread_of(vectors - self._mean) / SHARE
        dense = ((vectors - self._mean) / self._scale).astype(np.float32)
        if not len(self.rarity):
            return dense
        counted = self.terms(texts)
        rarity = tfidf.rarity_of(counted)
        with torch.no_grad():
            self.rarity.copy_(torch.from_numpy(rarity))
        words = tfidf.features(counted, rarity, int(self.first_piece))[:, np.flatnonzero(rarity)]
        return sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(dense), words]))

    @torch.no_grad()
    def solve(self, solution: Solution) -> None:
        """Take the weights, those of the vectors as they are for the encoder's own output."""
        dense = solution.weight[: self.encoder.width].astype(np.float64) / self._scale
        self.dense.copy_(torch.from_numpy(dense))
        self.bias.copy_(torch.from_numpy(solution.bias - self._mean @ dense))
        self.weight.zero_()
        self.weight[self.rarity.nonzero()[:, 0]] = torch.from_numpy(solution.weight[self.encoder.width :]).to(
            self.weight
        )

    def logits(self, texts: Encoded) -> Floats:
        """Return logits [texts, classes]."""
        dense, weight, bias, rarity = (
            tensor.detach().float().cpu().numpy() for tensor in (self.dense, self.weight, self.bias, self.rarity)
        )
        result: Floats = self.vectors(texts) @ dense + bias
        if len(rarity):
            result += tfidf.features(self.terms(texts), rarity, int(self.first_piece)) @ weight
        return result

    def probabilities(
        self, texts: Encoded, classes: int, on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return probabilities [n, classes] of n texts in their order; `on_batch` gets the rows of each batch."""
        return tfidf.probabilities(texts, classes, self.logits, on_batch)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits [batch, classes] from input_ids [batch, ids], padded by 0."""
        ids = input_ids.cpu().numpy()
        texts = Encoded(ids=ids[ids > 0], lengths=(ids > 0).sum(axis=1))
        return torch.from_numpy(self.logits(texts)).to(self.dense.device)


def part(texts: Encoded, chosen: NDArray[np.bool_], shift: int) -> tuple[Ints, Ints]:
    """Return some of the ids of texts, shifted, and their number per text."""
    owners = np.repeat(np.arange(len(texts.lengths)), texts.lengths)[chosen]
    return texts.ids[chosen].astype(np.int64) + shift, np.bincount(owners, minlength=len(texts.lengths))


def spread_of(centred: NDArray[np.float64]) -> float:
    """Return the root of the mean squared length of vectors; 1 if all are 0."""
    return float(np.sqrt((centred**2).sum(axis=1).mean())) or 1.0


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the encoder comes from: see `mhc.model.embedding.encoder.load`."""

    name: str
    revision: str | None = None
    offline: bool = False
    trust_remote_code: bool = False


def embedding_linear(
    num_labels: int,
    vocab_size: int,
    pad_id: int,
    labels: Sequence[str],
    *,
    pooling: str = AUTO,
    features: Sequence[str] = (ENCODING, TERMS),
    **origin: object,
) -> EmbeddingLinear:
    """Return the network of `conf/model/embedding.yaml`, to be fitted.

    Args:
        num_labels: number of classes.
        vocab_size: number of ids, padding included.
        pad_id: of the tokenizer, which is 0.
        labels: class names in the order of the logits.
        pooling: auto, or one of `mhc.model.embedding.pooling.MODES`.
        features: encoder, or encoder and tfidf.
        origin: of the encoder: name, revision, offline and trust_remote_code.

    Raises:
        BadConfig: if the features are others, or an option is not valid.
        NotFound: if there is neither such a folder nor such a model of the hub.
        Unreadable: if the encoder cannot be loaded.
    """
    check_features(features)
    trust = origin.get("trust_remote_code", False)
    if not isinstance(trust, bool):
        raise BadConfig(f"model.network.trust_remote_code is {trust!r}; it must be true or false")
    encoder = encoders.load(setting=pooling, **vars(Origin(**origin)))  # type: ignore[arg-type]  # values of a config
    return EmbeddingLinear(encoder, num_labels, vocab_size if TERMS in features else 0)


def check_features(features: Sequence[str]) -> None:
    """Check the value of `model.features`.

    Raises:
        BadConfig: if the encoder is not among them, or there are others than encoder and tfidf.
    """
    if ENCODING not in features or not set(features) <= {ENCODING, TERMS}:
        raise BadConfig(
            f"model.features is {list(features)}; it must be [encoder] or [encoder, tfidf]. "
            "TF-IDF alone is model=linear"
        )


def on_device(network: nn.Module, precision: str, device: str) -> EmbeddingLinear:
    """Return the network on a device; the encoder is always computed in float32, as in training.

    Raises:
        BadConfig: if there is no such precision or device, or the precision is bf16.
    """
    assert isinstance(network, EmbeddingLinear)
    if precision not in PRECISIONS:
        raise BadConfig(f"precision={precision} is none of {', '.join(PRECISIONS)}")
    if precision == "bf16":
        raise BadConfig("precision=bf16, but the encoder of this model is computed in fp32. Leave out precision=")
    return network.to(device_of(device))


def from_config(folder: Path, num_labels: int, vocab_size: int, *, terms: bool) -> EmbeddingLinear:
    """Return the network without its weights, from the folder that `save_config` has written.

    Raises:
        Unreadable: if a file is damaged.
    """
    path = folder / FILE
    with files.reading(path, "Choose another run"):
        how = Pooling.of_plain(json.loads(files.read(path)))
    return EmbeddingLinear(encoders.empty(folder / ENCODER, how), num_labels, vocab_size if terms else 0)
