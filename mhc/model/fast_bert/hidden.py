"""Vectors of all tokens by a BERT encoder without gradients, computed over the real tokens alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from mhc.model.fast_bert.attention import Layout
from mhc.model.fast_bert.encoder import MIN_PADDING, embed
from mhc.model.fast_bert.layer import encoder_layer
from mhc.model.fast_bert.packing import Packing


def is_supported(model: nn.Module) -> bool:
    """Return whether `last_hidden` computes the same as the model's own forward in evaluation mode."""
    if type(model) is not BertModel:
        return False
    config: BertConfig = model.config
    return bool(config.hidden_act == "gelu" and not config.is_decoder)


def last_hidden(bert: BertModel, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Return the output of the last layer, [texts, tokens, width]; that of padding is arbitrary.

    Args:
        bert: one that `is_supported`, in float32 on the CPU.
        input_ids: [texts, tokens]; each text begins at the start of its row (padding on the right).
        attention_mask: [texts, tokens]; None: there is no padding.
    """
    packing = Packing.of(input_ids, attention_mask, MIN_PADDING, torch.float32)
    layout = Layout(packing, bert.config.num_attention_heads, torch.float32)
    hidden = embed(bert, input_ids, packing, torch.float32)
    for layer in bert.encoder.layer:
        hidden = encoder_layer(hidden, layer, layout, None)
    return packing.unpack(hidden).view(*input_ids.shape, -1)
