"""Encoders of transformers for sequence classification: of the BERT family from a config, or any pretrained one.

Both are a `PreTrainedModel` whose config contains the label names, so that `save_pretrained` writes a folder that
`transformers.pipeline("text-classification")` reads; with a pooling of ours a pretrained one is a `PooledEncoder`.
Attention is torch's fused scaled dot product if transformers has it for the architecture, else its own ("eager"); the
record of the run names it. Attention dropout is 0, because any other value disables the fused kernel. `num_labels`,
`vocab_size` and `pad_id` are those of the data and its tokenizer, `labels` the class names in the order of the logits,
`dropout` the probability in the hidden layers and the head while training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.utils.logging import disable_progress_bar

from mhc.data import pretrained as pretrained_models
from mhc.errors import BadConfig
from mhc.model.adaptation import lora as lora_options
from mhc.model.adaptation import pooled
from mhc.model.adaptation.pooled import PooledEncoder
from mhc.model.adaptation.preparation import prepare

Network: TypeAlias = PreTrainedModel | PooledEncoder
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
    """Return an encoder with random weights, drawn from torch's global generator.

    `width` is the hidden size, a multiple of `heads`; `max_tokens` the longest text including special tokens;
    `architecture` one of ARCHITECTURES; `feed_forward` the inner size of the feed-forward, None for 4 x width.

    Raises:
        BadConfig: if the shape is invalid, or there is no such architecture.
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
        # positions of roberta begin after the padding's id
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
        raise BadConfig(f"model.network.width is {width}; it must be a multiple of model.network.heads, {heads}")
    if architecture not in ARCHITECTURES:
        raise BadConfig(f"model.network.architecture is {architecture!r}; it must be one of {', '.join(ARCHITECTURES)}")


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
    trust_remote_code: bool = False,
    pooling: str = pooled.OWN,
    lora: object = None,
    **changes: Any,
) -> Network:
    """Return an encoder with pretrained weights and a newly initialised head, in float32.

    `name` is a hub name, or a local folder, for which the hub is not contacted; `revision` a tag or commit of the hub;
    `offline` uses the local cache only; `trust_remote_code` runs the code that the model brings along (auto_map), which
    is never asked for on a terminal; `pooling` is own (the head of transformers), mean, cls or max; `lora` the options
    of adapters, None for none; `changes` are `freeze_layers`, `reinit_layers` and `gradient_checkpointing` of
    `mhc.model.adaptation.preparation.prepare`.

    Raises:
        NotFound: if there is neither such a folder nor such a model of the hub.
        Unreadable: if it cannot be loaded.
        BadConfig: if its vocabulary is smaller than the tokenizer's, it needs its own code and is not trusted, or an
            option does not apply to it.
    """
    if not isinstance(trust_remote_code, bool):
        raise BadConfig(f"model.network.trust_remote_code is {trust_remote_code!r}; it must be true or false")
    pooled.check(pooling)
    values = {"pad_token_id": pad_id, **label_names(num_labels, labels)}
    local = offline or Path(name).is_dir()  # a path as it is: `~` is not expanded, as in data.train
    origin = {"revision": revision, "local_files_only": local, "trust_remote_code": trust_remote_code}
    network = _load(name, values, dropout, origin, pooling)
    _check_vocabulary(name, network.config.vocab_size, vocab_size)
    network = network.float().train()  # transformers returns it in eval mode, in which dropout does nothing
    prepare(network, adapters=lora_options.read(lora), **changes)
    return network


def _load(
    name: str, values: Mapping[str, object], dropout: float, origin: Mapping[str, object], pooling: str
) -> Network:
    """Load config and weights from a folder or the hub, and add the head."""
    folder = Path(name)
    source = str(folder) if folder.is_dir() else name
    disable_progress_bar()
    with pretrained_models.reading("model", name):
        config = AutoConfig.from_pretrained(source, **origin)
        pretrained_models.require_weights(name)
        _set_values(config, values, dropout)
        if pooling == pooled.OWN:
            return AutoModelForSequenceClassification.from_pretrained(
                source, config=config, ignore_mismatched_sizes=True, **origin
            )
        encoder = AutoModel.from_pretrained(source, config=config, **origin)
    pooled.refuse_first_token(encoder, pooling)
    return PooledEncoder(encoder, pooling, dropout)


def _check_vocabulary(name: str, own_size: int, tokenizer_size: int) -> None:
    if own_size < tokenizer_size:
        raise BadConfig(
            f"model.network.name is {name!r} with {own_size} word pieces, but its tokenizer has {tokenizer_size}; "
            "set model.tokenizer.name to the same model"
        )


def label_names(num_labels: int, labels: Sequence[str]) -> dict[str, object]:
    """Return the entries of a config of transformers that describe the classes.

    Raises:
        BadConfig: if there are not `num_labels` labels.
    """
    if len(labels) != num_labels:
        raise BadConfig(f"{num_labels} classes were requested, but {len(labels)} label names are given")
    return {
        "num_labels": num_labels,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "problem_type": "single_label_classification",
    }


def _set_values(config: PretrainedConfig, values: Mapping[str, object], dropout: float) -> None:
    """Set values and hidden dropout, and disable attention dropout; each family has its own names for dropouts."""
    for key, value in values.items():
        setattr(config, key, value)
    for key in ("hidden_dropout_prob", "dropout", "classifier_dropout", "seq_classif_dropout", "mlp_dropout"):
        if hasattr(config, key):
            setattr(config, key, dropout)
    for key in ("attention_probs_dropout_prob", "attention_dropout"):
        if hasattr(config, key):
            setattr(config, key, 0.0)
