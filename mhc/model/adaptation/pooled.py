"""An encoder of transformers with a linear head of ours on its pooled last layer.

transformers has no class for it, so its `config.json` has a model type that transformers does not know: a plain
pipeline refuses the folder, instead of adding a random head. The bundle's `load.py` reads the same format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from mhc.errors import BadConfig
from mhc.model.pooling import POOLINGS

OWN = "own"
"""The head that transformers has for the encoder."""
MODEL_TYPE = "mhc_pooled"


class PooledEncoder(nn.Module):
    """Encoder, pooling, dropout and a linear layer.

    Args:
        encoder: without a head.
        pooling: a key of POOLINGS.
        dropout: of the pooled vector, while training.
    """

    def __init__(self, encoder: PreTrainedModel, pooling: str, dropout: float) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # nothing would read it, and ddp waits for the gradients of every weight
        if hasattr(encoder.config, "use_cache"):
            encoder.config.use_cache = False
        self.encoder = encoder
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(encoder.config.hidden_size, encoder.config.num_labels)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    @property
    def config(self) -> PretrainedConfig:
        """Config of the encoder, with the label names."""
        return self.encoder.config

    @property
    def base_model(self) -> PreTrainedModel:
        """The encoder, as networks of transformers name it."""
        return self.encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits [rows, classes]."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        extra = {"global_attention_mask": first_token(mask)} if self.config.model_type == "longformer" else {}
        return self.classify(self.encoder(input_ids=input_ids, attention_mask=mask, **extra).last_hidden_state, mask)

    def classify(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return logits [rows, classes] from the last layer's output [rows, tokens, width]."""
        pooled: Tensor = self.dropout(POOLINGS[self.pooling](hidden, mask))
        return cast(Tensor, self.classifier(pooled))


def first_token(mask: Tensor) -> Tensor:
    """Return a mask [rows, tokens] of the first token, which all tokens of a Longformer read, as with its own head."""
    result = torch.zeros_like(mask)
    result[:, 0] = 1
    return result


def check(pooling: str) -> None:
    """Check the value of `model.network.pooling`.

    Raises:
        BadConfig: if there is no such pooling.
    """
    if pooling not in (OWN, *POOLINGS):
        raise BadConfig(f"model.network.pooling is {pooling!r}; it must be one of {OWN}, {', '.join(POOLINGS)}")


def refuse_first_token(encoder: PreTrainedModel, pooling: str) -> None:
    """Refuse to pool the first token of an encoder whose tokens read only those before them.

    Raises:
        BadConfig: if `pooling` is cls, and it is such an encoder.
    """
    if pooling == "cls" and any(getattr(module, "is_causal", False) for module in encoder.modules()):
        raise BadConfig(
            f"model.network.pooling is cls, but the first token of {type(encoder).__name__} reads no other token. Use "
            "own, mean or max"
        )


def config_values(network: PooledEncoder) -> dict[str, Any]:
    """Return the content of its `config.json`."""
    values: dict[str, Any] = json.loads(network.config.to_json_string(use_diff=False))
    return values | {
        "model_type": MODEL_TYPE,
        "architectures": [type(network).__name__],
        "encoder_type": network.config.model_type,
        "pooling": network.pooling,
    }


def save_config(network: PooledEncoder, folder: Path) -> None:
    """Write `config.json`, by which `from_values` builds the network without its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_values(network), indent=1) + "\n", encoding="utf-8")


def from_values(values: Mapping[str, Any]) -> PooledEncoder:
    """Build the network from the content of its `config.json`, with random weights and without dropout."""
    own = {key: value for key, value in values.items() if key not in ("model_type", "encoder_type", "pooling")}
    config = AutoConfig.for_model(values["encoder_type"], **own)
    return PooledEncoder(AutoModel.from_config(config), values["pooling"], dropout=0.0)
