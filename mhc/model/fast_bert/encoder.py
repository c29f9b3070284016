"""Logits and gradients of a BERT classifier from its real tokens alone: same weights and numbers as transformers.

The network remains a module of transformers. Compared with its own forward, this one
- runs embeddings, linear layers, norms and feed-forward on [real tokens, hidden_size]: padding is computed in attention
  only;
- computes only the part of the last layer that the head of transformers reads, the first token of each text (a
  `PooledEncoder` reads all). The outputs of the other tokens are never read and get no gradient; their keys and values
  are not computed for one query either;
- computes query, key and value in one product, and casts each weight once per step, without autocast in between;
- writes the backward of a layer out, so that sums are accumulated in place and nothing is stored or copied without use;
- computes attention by batched matrix products: for texts of up to 512 tokens on a CPU 2 to 3 times as fast, forward
  and backward together, as torch's fused attention in bfloat16 (which has no fast backward there);
- draws one pool of dropout masks per step, of which every layer takes a window at a random position: torch's own
  dropout draws its numbers on one core, one at a time.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification, BertModel
from transformers.models.bert.modeling_bert import BertLayer, BertSelfAttention

from mhc.errors import BadConfig
from mhc.model.adaptation.pooled import PooledEncoder
from mhc.model.fast_bert.attention import Layout, first_token_attention, flash_attention
from mhc.model.fast_bert.dropout import DropoutPool
from mhc.model.fast_bert.layer import encoder_layer
from mhc.model.fast_bert.linear import linear
from mhc.model.fast_bert.packing import Packing

Network: TypeAlias = BertForSequenceClassification | PooledEncoder
MIN_PADDING = 0.03
"""Fraction of padding from which removing it costs less than computing it; measured on 2 cores."""


DEVICES = {"auto": frozenset({"cpu"}), "always": frozenset({"cpu", "cuda", "mps"}), "never": frozenset[str]()}
"""Device types by the value of model.fast; auto: those that are faster by measurement."""


def devices(setting: str, network: nn.Module) -> frozenset[str]:
    """Return the device types on which the network is computed by `logits`.

    Args:
        setting: value of model.fast: auto, always or never.
        network: any network; one that is not supported gives no device.

    Raises:
        BadConfig: if there is no such setting, or it is `always` and the network is not supported.
    """
    if setting not in DEVICES:
        raise BadConfig(f"model.fast is {setting!r}; it must be one of {', '.join(DEVICES)}")
    if is_supported(network):
        return DEVICES[setting]
    if setting == "always":
        raise BadConfig(
            f"model.fast is always, but {type(network).__name__} with these settings can only be computed by its own "
            "forward. Set model.fast=auto"
        )
    return frozenset()


def is_supported(network: nn.Module) -> bool:
    """Return whether `logits` computes the same as the network's own forward."""
    return not obstacle(network)


def obstacle(network: nn.Module) -> str:
    """Return why `logits` cannot compute a network; empty if it computes the same as the network's own forward."""
    pooled = isinstance(network, PooledEncoder)
    if type(network) is not BertForSequenceClassification and not (pooled and type(network.encoder) is BertModel):
        return "it is not of the BERT family"
    config: BertConfig = network.config
    plain = (
        config.hidden_act == "gelu"
        and not config.attention_probs_dropout_prob
        and not config.is_decoder
        and config.problem_type in (None, "single_label_classification")
    )
    if not plain:
        return "its config has other settings than BERT's"
    if any(hasattr(module, "base_layer") for module in network.modules()):
        return "it has adapters (lora)"
    checkpointed = any(getattr(module, "gradient_checkpointing", False) for module in network.modules())
    return "its backward computes the layers again (gradient_checkpointing)" if checkpointed else ""


def logits(network: Network, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Return logits [texts, classes] in float32 (or the weights' own type).

    Under autocast the whole encoder runs in autocast's type, otherwise in that of the weights.

    Args:
        network: one that `is_supported`.
        input_ids: [texts, seq_len]; each text begins at the start of its row (padding on the right).
        attention_mask: [texts, seq_len]; None: there is no padding.
    """
    device = input_ids.device.type
    bert: BertModel = network.base_model
    weight = bert.embeddings.word_embeddings.weight
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    packing = Packing.of(input_ids, attention_mask, MIN_PADDING, dtype)
    with torch.autocast(device, enabled=False):
        hidden = embed(bert, input_ids, packing, dtype)
        pool = _dropout_pool(network, hidden)
        if pool:
            hidden = hidden * pool.take(hidden)
        layout = Layout(packing, network.config.num_attention_heads, dtype) if packing.cu_seqlens is None else None

        def all_tokens(layer: BertLayer, hidden: Tensor) -> Tensor:
            return encoder_layer(hidden, layer, layout, pool) if layout else _flash_layer(layer, hidden, packing, pool)

        *layers, last = bert.encoder.layer
        for layer in layers:
            hidden = all_tokens(layer, hidden)
        if isinstance(network, PooledEncoder):
            hidden = packing.unpack(all_tokens(last, hidden)).view(*input_ids.shape, -1).to(weight.dtype)
            return network.classify(hidden, torch.ones_like(input_ids) if attention_mask is None else attention_mask)
        return _classify(network, _last_layer(last, hidden, packing, pool).to(weight.dtype))


def _dropout_pool(network: Network, hidden: Tensor) -> DropoutPool | None:
    """Return the dropout masks of this step; None if nothing is dropped."""
    dropout_p = network.config.hidden_dropout_prob
    return DropoutPool(hidden, dropout_p) if network.training and dropout_p else None


def embed(bert: BertModel, input_ids: Tensor, packing: Packing, dtype: torch.dtype) -> Tensor:
    """Return the embeddings of the packed tokens after their layer norm, [tokens, hidden_size]."""
    embeddings = bert.embeddings
    words = functional.embedding(packing.pack(input_ids.reshape(-1)), embeddings.word_embeddings.weight)
    positions = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
    hidden = words + functional.embedding(packing.positions(), positions)
    norm = embeddings.LayerNorm
    return functional.layer_norm(hidden, norm.normalized_shape, norm.weight, norm.bias, norm.eps).to(dtype)


def _flash_layer(layer: BertLayer, hidden: Tensor, packing: Packing, pool: DropoutPool | None) -> Tensor:
    """Return what `encoder_layer` returns, by flash attention without padding; autograd computes the backward."""
    attn = layer.attention.self
    assert packing.cu_seqlens is not None
    qkv = _project(hidden, attn, "query", "key", "value")
    attn_out = flash_attention(qkv, packing.cu_seqlens, packing.seq_len, attn.num_attention_heads)
    return _after_attention(layer, hidden, attn_out, pool)


def _last_layer(layer: BertLayer, hidden: Tensor, packing: Packing, pool: DropoutPool | None) -> Tensor:
    """Return the layer's output for the first token of each text, [texts, hidden_size] from [tokens, hidden_size]."""
    attn = layer.attention.self
    first = hidden.index_select(0, packing.first)
    attn_out = first_token_attention(
        _project(first, attn, "query"),
        hidden,
        (attn.key.weight, attn.key.bias),
        (attn.value.weight, attn.value.bias),
        packing,
        attn.num_attention_heads,
    )
    return _after_attention(layer, first, attn_out, pool)


def _project(hidden: Tensor, attn: BertSelfAttention, *names: str) -> Tensor:
    """Return the named projections in one product, [tokens, names x hidden_size].

    The query's weights are scaled by 1 / sqrt(head_dim), which costs less than scaling the scores.
    """
    scales = {"query": float(attn.attention_head_size) ** -0.5}
    layers = [(getattr(attn, name), scales.get(name, 1.0)) for name in names]
    weight = torch.cat([layer.weight * scale if scale != 1 else layer.weight for layer, scale in layers])
    bias = torch.cat([layer.bias * scale if scale != 1 else layer.bias for layer, scale in layers])
    return linear(hidden, weight, bias)


def _after_attention(layer: BertLayer, residual: Tensor, attn_out: Tensor, pool: DropoutPool | None) -> Tensor:
    """Return the layer's output from its attention output: output projection, then feed-forward."""
    output = layer.attention.output
    hidden = _add_and_norm(residual, linear(attn_out, output.dense.weight, output.dense.bias), output.LayerNorm, pool)
    branch = functional.gelu(linear(hidden, layer.intermediate.dense.weight, layer.intermediate.dense.bias))
    branch = linear(branch, layer.output.dense.weight, layer.output.dense.bias)
    return _add_and_norm(hidden, branch, layer.output.LayerNorm, pool)


def _add_and_norm(residual: Tensor, branch: Tensor, norm: nn.LayerNorm, pool: DropoutPool | None) -> Tensor:
    """Return LayerNorm(residual + dropout(branch)), [tokens, hidden_size]."""
    hidden = torch.addcmul(residual, branch, pool.take(branch)) if pool else residual + branch
    dtype = hidden.dtype
    return functional.layer_norm(hidden, norm.normalized_shape, norm.weight.to(dtype), norm.bias.to(dtype), norm.eps)


def _classify(network: BertForSequenceClassification, first: Tensor) -> Tensor:
    """Return logits [texts, classes] from the last layer's first tokens, [texts, hidden_size]."""
    pooler, head = network.bert.pooler.dense, network.classifier
    pooled = torch.tanh(functional.linear(first, pooler.weight, pooler.bias))
    return functional.linear(network.dropout(pooled), head.weight, head.bias)
