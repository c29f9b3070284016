"""A BERT classifier's forward and backward over its real tokens alone; same weights, same numbers, less work.

The network stays what transformers made it. Against its own forward, this one
- runs embeddings, linear layers, norms and feed-forward on [real tokens, width]: padding is computed in attention only;
- computes of the last layer what the classifier reads, the first token of each text. What the other tokens would
  become there is never looked at, and gets no gradient; nor are their keys and values multiplied out for one query;
- multiplies query, key and value in one product, and casts each weight once per step, with no autocast in between;
- writes the backward of a layer out, so that sums are added in place and nothing is kept or copied that is not needed;
- computes attention by batched matrix products: for texts of up to 512 tokens on a CPU 2 to 3 times as fast, forward
  and backward together, as torch's fused attention in bfloat16 (which has no fast backward there);
- draws one pool of dropout masks per step and lets every layer take a window of it at a random place: torch's own
  dropout draws its numbers on one core, one at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification
from transformers.models.bert.modeling_bert import BertLayer, BertSelfAttention

from mhc.errors import BadConfig
from mhc.model.fast_bert.attention import Layout, attention_of_first, flash
from mhc.model.fast_bert.dropout import DropoutPool
from mhc.model.fast_bert.layer import block
from mhc.model.fast_bert.linear import linear
from mhc.model.fast_bert.packing import Packing

PACK_FROM = 0.03
"""Share of padding from which taking it out costs less than computing it; measured on 2 cores."""


WAYS = {"auto": frozenset({"cpu"}), "always": frozenset({"cpu", "cuda", "mps"}), "never": frozenset[str]()}
"""Kinds of devices by the value of model.fast; auto: where it was measured to pay."""


def devices(said: str, network: nn.Module) -> frozenset[str]:
    """Kinds of devices on which the network is to be computed by `logits`.

    Args:
        said: auto, always or never.
        network: any; only what `fits` is ever computed so.

    Raises:
        BadConfig: there is no such way, or `always` was said and the network does not fit.
    """
    if said not in WAYS:
        raise BadConfig(f"model.fast is {said!r}; it must be one of {', '.join(WAYS)}.")
    if fits(network):
        return WAYS[said]
    if said == "always":
        raise BadConfig(
            f"model.fast is always, but {type(network).__name__} with these settings can only be computed by its own "
            "forward. Leave it at auto"
        )
    return frozenset()


def fits(network: nn.Module) -> bool:
    """Whether `logits` computes what this network computes."""
    if type(network) is not BertForSequenceClassification:
        return False
    config: BertConfig = network.config
    return (
        config.hidden_act == "gelu"
        and not config.attention_probs_dropout_prob
        and not config.is_decoder
        and config.problem_type in (None, "single_label_classification")
    )


def logits(network: BertForSequenceClassification, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Return logits [batch, classes] in float32 (or the weights' own type) from ids and mask [batch, tokens].

    Under autocast the encoder runs in autocast's type throughout, without it in that of the weights. Every text's
    tokens stand at its row's beginning.
    """
    device = input_ids.device.type
    weight = network.bert.embeddings.word_embeddings.weight
    kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    packing = Packing.of(input_ids, attention_mask, PACK_FROM, kind)
    with torch.autocast(device, enabled=False):
        hidden = _embed(network, input_ids, packing, kind)
        pool = _pool(network, hidden)
        if pool:
            hidden = hidden * pool.take(hidden)
        *layers, last = network.bert.encoder.layer
        layout = Layout(packing, network.config.num_attention_heads, kind) if packing.bounds is None else None
        for layer in layers:
            hidden = block(hidden, layer, layout, pool) if layout else _flash_layer(layer, hidden, packing, pool)
        return _classify(network, _last_layer(last, hidden, packing, pool).to(weight.dtype))


def _pool(network: BertForSequenceClassification, hidden: Tensor) -> DropoutPool | None:
    share = network.config.hidden_dropout_prob
    return DropoutPool(hidden, share) if network.training and share else None


def _embed(network: BertForSequenceClassification, input_ids: Tensor, packing: Packing, kind: torch.dtype) -> Tensor:
    parts = network.bert.embeddings
    words = functional.embedding(packing.pack(input_ids.reshape(-1)), parts.word_embeddings.weight)
    places = parts.position_embeddings.weight + parts.token_type_embeddings.weight[0]
    whole = words + functional.embedding(packing.positions(), places)
    norm = parts.LayerNorm
    return functional.layer_norm(whole, norm.normalized_shape, norm.weight, norm.bias, norm.eps).to(kind)


def _flash_layer(layer: BertLayer, hidden: Tensor, packing: Packing, pool: DropoutPool | None) -> Tensor:
    """What `block` computes, with attention that knows no padding; autograd sees to the backward."""
    part = layer.attention.self
    assert packing.bounds is not None
    projected = _projected(hidden, part, "query", "key", "value")
    mixed = flash(projected, packing.bounds, packing.width, part.num_attention_heads)
    return _after_attention(layer, hidden, mixed, pool)


def _last_layer(layer: BertLayer, hidden: Tensor, packing: Packing, pool: DropoutPool | None) -> Tensor:
    """The block of which only the first token of each text is read: [tokens, width] to [rows, width]."""
    part = layer.attention.self
    first = hidden.index_select(0, packing.first)
    mixed = attention_of_first(
        _projected(first, part, "query"),
        hidden,
        (part.key.weight, part.key.bias),
        (part.value.weight, part.value.bias),
        packing,
        part.num_attention_heads,
    )
    return _after_attention(layer, first, mixed, pool)


def _projected(hidden: Tensor, part: BertSelfAttention, *names: str) -> Tensor:
    """[tokens, names x width] in one product; queries come scaled, by a pass over the weights, not over the scores."""
    scales = {"query": float(part.attention_head_size) ** -0.5}
    layers = [(getattr(part, name), scales.get(name, 1.0)) for name in names]
    weight = torch.cat([layer.weight * scale if scale != 1 else layer.weight for layer, scale in layers])
    bias = torch.cat([layer.bias * scale if scale != 1 else layer.bias for layer, scale in layers])
    return linear(hidden, weight, bias)


def _after_attention(layer: BertLayer, hidden: Tensor, mixed: Tensor, pool: DropoutPool | None) -> Tensor:
    """The rest of a block: what attention `mixed`, and then feed-forward, each added to what came in and normed."""
    block = layer.attention.output
    hidden = _add_and_norm(hidden, linear(mixed, block.dense.weight, block.dense.bias), block.LayerNorm, pool)
    inner = functional.gelu(linear(hidden, layer.intermediate.dense.weight, layer.intermediate.dense.bias))
    inner = linear(inner, layer.output.dense.weight, layer.output.dense.bias)
    return _add_and_norm(hidden, inner, layer.output.LayerNorm, pool)


def _add_and_norm(hidden: Tensor, change: Tensor, norm: nn.LayerNorm, pool: DropoutPool | None) -> Tensor:
    whole = torch.addcmul(hidden, change, pool.take(change)) if pool else hidden + change
    kind = whole.dtype
    return functional.layer_norm(whole, norm.normalized_shape, norm.weight.to(kind), norm.bias.to(kind), norm.eps)


def _classify(network: BertForSequenceClassification, first: Tensor) -> Tensor:
    dense, head = network.bert.pooler.dense, network.classifier
    pooled = torch.tanh(functional.linear(first, dense.weight, dense.bias))
    return functional.linear(network.dropout(pooled), head.weight, head.bias)
