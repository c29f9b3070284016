"""BERT-family encoders of transformers for sequence classification: from a config, or pretrained.

Both return a `PreTrainedModel` whose config carries the label names, so that `save_pretrained` writes a folder that
`transformers.pipeline("text-classification")` reads. Attention is torch's fused scaled dot product; attention
dropout is 0, because any other value takes it off its fused kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.utils.logging import disable_progress_bar

from mhc.errors import BadConfig, NotFound

ARCHITECTURES = ("bert", "electra", "roberta")
"""Model types of transformers that `from_config` builds: with BERT's names in their configs, and fused attention."""


def from_config(
    num_labels: int,
    vocab_size: int,
    pad_id: int,
    labels: Sequence[str],
    *,
    layers: int,
    width: int,
    heads: int,
    max_tokens: int,
    dropout: float,
    architecture: str = "bert",
    feed_forward: int | None = None,
) -> PreTrainedModel:
    """An encoder of `layers` blocks with random weights, drawn from torch's global generator.

    `width` is the size of a token's vector, a multiple of `heads`; `max_tokens` the longest text, special tokens
    included; `dropout` the share of each block's outputs set to 0 while training; `architecture` one of
    ARCHITECTURES; `feed_forward` the inner size of a block, 4 x width when None. Raises BadConfig for a shape that
    cannot be built.
    """
    _check_shape(width, heads, architecture)
    config = AutoConfig.for_model(
        architecture,
        vocab_size=vocab_size,
        pad_token_id=pad_id,
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=feed_forward or 4 * width,
        # roberta counts positions from the one after the padding's
        max_position_embeddings=max_tokens + (pad_id + 1 if architecture == "roberta" else 0),
        type_vocab_size=1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=0.0,
        classifier_dropout=dropout,
        **label_names(num_labels, labels),
    )
    return AutoModelForSequenceClassification.from_config(config, attn_implementation="sdpa")


def _check_shape(width: int, heads: int, architecture: str) -> None:
    if width % heads:
        raise BadConfig(f"model.network.width is {width}; it must be a multiple of model.network.heads, {heads}.")
    if architecture not in ARCHITECTURES:
        raise BadConfig(
            f"model.network.architecture is {architecture!r}; it must be one of {', '.join(ARCHITECTURES)}."
        )


def pretrained(
    num_labels: int,
    vocab_size: int,
    pad_id: int,
    labels: Sequence[str],
    *,
    name: str,
    dropout: float,
    revision: str | None = None,
    offline: bool = False,
) -> PreTrainedModel:
    """An encoder with pretrained weights and a fresh head.

    `name` is a hub name, or a local folder, which is never looked up on the hub; `dropout` that of the hidden layers;
    `revision` a tag or commit of the hub; `offline` uses what is already in the hub's cache.

    Raises:
        NotFound: it cannot be loaded.
        BadConfig: its vocabulary is smaller than the tokenizer's, or it has no fused attention.
    """
    folder = Path(name).expanduser()
    source = str(folder) if folder.is_dir() else name
    origin = {"revision": revision, "local_files_only": offline or folder.is_dir()}
    disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(source, **origin)
        _set_dropout(config, dropout)
        config.pad_token_id = pad_id
        for key, value in label_names(num_labels, labels).items():
            setattr(config, key, value)
        network = AutoModelForSequenceClassification.from_pretrained(
            source, config=config, attn_implementation="sdpa", ignore_mismatched_sizes=True, **origin
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise NotFound(
            f"The pretrained model {name!r} cannot be loaded ({type(error).__name__}). Give the hub name of a "
            "BERT-family encoder while online, or the folder where it lies: model.network.name=/path/to/folder"
        ) from error
    _check_vocabulary(name, network.config.vocab_size, vocab_size)
    return network.float()


def _check_vocabulary(name: str, known: int, needed: int) -> None:
    if known < needed:
        raise BadConfig(
            f"model.network.name is {name!r} with {known} word pieces, but its tokenizer has {needed}; set "
            "model.tokenizer.name to the same model."
        )


def label_names(num_labels: int, labels: Sequence[str]) -> dict[str, object]:
    """What a config of transformers knows of the classes."""
    if len(labels) != num_labels:
        raise BadConfig(f"{num_labels} classes were asked for, but {len(labels)} label names are given.")
    return {
        "num_labels": num_labels,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "problem_type": "single_label_classification",
    }


def _set_dropout(config: PretrainedConfig, dropout: float) -> None:
    """Each family has its own names for the same thing."""
    for key in ("hidden_dropout_prob", "dropout", "classifier_dropout", "seq_classif_dropout", "mlp_dropout"):
        if hasattr(config, key):
            setattr(config, key, dropout)
    for key in ("attention_probs_dropout_prob", "attention_dropout"):
        if hasattr(config, key):
            setattr(config, key, 0.0)
