"""A frozen encoder of transformers that turns the ids of texts into one vector each, always in float32."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import partial
from inspect import signature
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from mhc import files
from mhc.data import pretrained
from mhc.data.embedding import sentence_settings
from mhc.errors import BadConfig, Unreadable
from mhc.model.embedding import pooling
from mhc.model.embedding.pooling import Pooling
from mhc.model.fast_bert import hidden
from mhc.model.scoring import BATCH_TOKENS, batches

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

VERSION = 1
"""Version of the computation; a new one invalidates cached vectors."""
UNUSED = ("_name_or_path", "name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures")
"""Entries of a config that do not change the vectors."""


class FrozenEncoder(nn.Module):
    """Encoder and pooling; its weights are never trained, and it is computed in evaluation mode.

    Args:
        model: without a head, in float32.
        pooling: of the vectors of its last layer.
    """

    def __init__(self, model: PreTrainedModel, pooling: Pooling) -> None:
        super().__init__()
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # nothing reads it, and many encoders come without its weights
        self.model = model.requires_grad_(False).train()  # Lightning warns of modules in evaluation mode
        self.pooling = pooling
        self.width = model.config.hidden_size * len(pooling.modes)
        self.fast = hidden.is_supported(model)
        self.masked = "attention_mask" in signature(model.forward).parameters
        """Whether the encoder can tell padding; a Fourier transform over the tokens cannot."""

    @property
    def config(self) -> PretrainedConfig:
        """Config of the encoder."""
        return self.model.config

    def vectors(self, ids: Ints, lengths: Ints) -> Floats:
        """Return the vectors [texts, width] of texts, given their concatenated ids and their numbers."""
        device = next(self.model.parameters()).device
        result = np.zeros((len(lengths), self.width), np.float32)
        starts = np.cumsum(lengths) - lengths
        real = np.flatnonzero(lengths)  # a text of no token has the vector 0
        training = self.model.training
        self.model.eval()  # dropout would change the vectors
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            for batch in self.batches(lengths[real], BATCH_TOKENS.get(device.type, 4096)):
                rows = real[batch]
                tokens, mask = padded(ids, starts[rows], lengths[rows])
                result[rows] = self.pooled(tokens.to(device), mask.to(device)).float().cpu().numpy()
        self.model.train(training)
        return result

    def batches(self, lengths: Ints, tokens: int) -> Iterator[Ints]:
        """Yield the rows of each batch, longest first; those of one length if the encoder cannot tell padding."""
        for rows in batches(lengths, tokens):
            yield from [rows] if self.masked else np.split(rows, np.flatnonzero(np.diff(lengths[rows])) + 1)

    def pooled(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return [texts, width] from tokens and their mask, [texts, tokens]."""
        if self.fast and tokens.device.type == "cpu":
            return self.pooling(hidden.last_hidden(self.model, tokens, mask), mask)
        masks = {"attention_mask": mask} if self.masked else {}
        return self.pooling(self.model(input_ids=tokens, **masks).last_hidden_state, mask)

    def key(self, max_tokens: int) -> str:
        """Return a hash of all that decides the vector of a text: weights, config, pooling, precision and length."""
        config = {name: value for name, value in self.config.to_dict().items() if name not in UNUSED}
        values = [VERSION, config, self.pooling.plain(), max_tokens, "float32"]
        digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode())
        for name, weights in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {list(weights.shape)} {weights.dtype}".encode())
            digest.update(weights.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:40]


def padded(ids: Ints, starts: Ints, lengths: Ints) -> tuple[Tensor, Tensor]:
    """Return tokens and mask [texts, longest] of the texts that begin at `starts` of `ids`; the longest is first."""
    columns = np.arange(int(lengths[0]))
    real = columns < lengths[:, None]
    tokens = np.where(real, ids[np.where(real, starts[:, None] + columns, 0)], 0)
    return torch.from_numpy(tokens), torch.from_numpy(real.astype(np.int64))


def load(name: str, *, setting: str, revision: str | None, offline: bool, trust_remote_code: bool) -> FrozenEncoder:
    """Return the encoder of a folder or of the hub.

    Args:
        name: hub name, or a folder, for which the hub is not contacted.
        setting: of the pooling: see `mhc.model.embedding.pooling.chosen`.
        revision: tag or commit of the hub; None: the newest.
        offline: use the local cache only.
        trust_remote_code: run the code that the model brings along.

    Raises:
        NotFound: if there is neither such a folder nor such a model of the hub.
        Unreadable: if it cannot be loaded, or has not all of its weights.
        BadConfig: if it cannot be used as an encoder.
    """
    folder = Path(name)
    source = str(folder) if folder.is_dir() else name
    local = offline or folder.is_dir()
    origin = {"revision": revision, "local_files_only": local, "trust_remote_code": trust_remote_code}
    disable_progress_bar()
    with pretrained.reading("model", name):
        config = AutoConfig.from_pretrained(source, **origin)
        refuse_decoders(name, config)
        pretrained.require_weights(name)
        model, info = AutoModel.from_pretrained(source, config=config, output_loading_info=True, **origin)
    refuse_random_weights(name, info["missing_keys"])

    find = partial(sentence_settings.find, name, revision=revision, offline=offline)
    return FrozenEncoder(model.float(), pooling.chosen(setting, name, find))


def refuse_random_weights(name: str, missing: Iterable[str]) -> None:
    """Refuse an encoder that is not complete.

    Raises:
        Unreadable: if it lacks weights.
    """
    lacking = [key for key in missing if "pooler" not in key]
    if lacking:
        raise Unreadable(
            f"The pretrained model {name!r} lacks {len(lacking)} of its weights, which would be random. Choose another"
        )


def refuse_decoders(name: str, config: PretrainedConfig) -> None:
    """Refuse a model that needs a second text for its decoder.

    Raises:
        BadConfig: if it is one.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise BadConfig(f"{name!r} is an encoder with a decoder, not an encoder alone. Choose another model")


def empty(folder: Path, how: Pooling) -> FrozenEncoder:
    """Return the encoder of a folder's config, with random weights.

    Raises:
        Unreadable: if the config is damaged.
    """
    with files.reading(f"The encoder in {folder}"), torch.random.fork_rng(devices=[]):
        files.require_regular_files(folder)
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        model = AutoModel.from_config(config)
    return FrozenEncoder(model.float(), how)
