"""One layer of a BERT encoder over packed tokens, forward and backward as one autograd function.

The backward that autograd would compute operation by operation is written out, so that sums are accumulated in place,
multiplications by one are left out, and a large result reuses the memory of the tensor that it is computed from.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from transformers.models.bert.modeling_bert import BertLayer

from mhc.model.fast_bert.attention import AttentionState, Layout, attend, attend_backward
from mhc.model.fast_bert.dropout import DropoutPool
from mhc.model.fast_bert.linear import affine


class Weights(NamedTuple):
    """Parameters of one layer as transformers stores them: matrices [out, in] and vectors [out]."""

    query: Tensor
    query_bias: Tensor
    key: Tensor
    key_bias: Tensor
    value: Tensor
    value_bias: Tensor
    out_proj: Tensor
    out_proj_bias: Tensor
    attn_norm: Tensor
    attn_norm_bias: Tensor
    up_proj: Tensor
    up_proj_bias: Tensor
    down_proj: Tensor
    down_proj_bias: Tensor
    ffn_norm: Tensor
    ffn_norm_bias: Tensor

    @classmethod
    def of(cls, layer: BertLayer) -> Weights:
        """Return the parameters of a layer of transformers."""
        attn, attn_output, output = layer.attention.self, layer.attention.output, layer.output
        modules = (
            *(attn.query, attn.key, attn.value, attn_output.dense, attn_output.LayerNorm),
            *(layer.intermediate.dense, output.dense, output.LayerNorm),
        )
        return cls(*(weight for module in modules for weight in (module.weight, module.bias)))


def encoder_layer(hidden: Tensor, layer: BertLayer, layout: Layout, pool: DropoutPool | None) -> Tensor:
    """Return the output of a layer: attention, then feed-forward, each with a residual connection and layer norm.

    Args:
        hidden: [tokens, hidden_size]; the result has the same shape.
        layer: with the weights.
        layout: of the batch.
        pool: of dropout masks; None: no dropout.
    """
    masks = (pool.take(hidden), pool.take(hidden)) if pool else None
    eps, weights = layer.output.LayerNorm.eps, Weights.of(layer)
    result: Tensor = _EncoderLayer.apply(hidden, layout, masks, eps, *weights)  # type: ignore[no-untyped-call]
    return result


class Saved(NamedTuple):
    """Tensors of the forward that the backward needs. `*_residual` is a sum before its layer norm, `*_rstd` 1 / std."""

    hidden: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    attn_probs: Tensor
    attn_out: Tensor
    attn_residual: Tensor
    attn_mean: Tensor
    attn_rstd: Tensor
    ffn_input: Tensor
    up: Tensor
    activation: Tensor
    ffn_residual: Tensor
    ffn_mean: Tensor
    ffn_rstd: Tensor
    qkv_proj: Tensor
    out_proj: Tensor
    up_proj: Tensor
    down_proj: Tensor
    attn_norm: Tensor
    ffn_norm: Tensor
    attn_dropout: Tensor | None
    ffn_dropout: Tensor | None


class _EncoderLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, layout: Layout, masks: tuple[Tensor, Tensor] | None, eps: float, *tensors: Tensor
    ) -> Tensor:
        ctx.weight_dtypes, ctx.layout = [tensor.dtype for tensor in tensors], layout
        own, dropout = Weights(*(tensor.to(hidden.dtype) for tensor in tensors)), masks or (None, None)
        qkv_proj, qkv_bias = _qkv_projection(own, layout.heads)
        attn_out, state = attend(affine(hidden, qkv_proj, qkv_bias), layout)
        attn_residual = _add_residual(affine(attn_out, own.out_proj, own.out_proj_bias), hidden, dropout[0])
        ffn_input, *attn_stats = _norm(attn_residual, own.attn_norm, own.attn_norm_bias, eps)
        up = affine(ffn_input, own.up_proj, own.up_proj_bias)
        activation = functional.gelu(up)
        ffn_residual = _add_residual(affine(activation, own.down_proj, own.down_proj_bias), ffn_input, dropout[1])
        result, *ffn_stats = _norm(ffn_residual, own.ffn_norm, own.ffn_norm_bias, eps)
        attn = (hidden, *state, attn_out, attn_residual, *attn_stats)
        ffn = (ffn_input, up, activation, ffn_residual, *ffn_stats)
        weights = (qkv_proj, own.out_proj, own.up_proj, own.down_proj, own.attn_norm, own.ffn_norm)
        ctx.save_for_backward(*attn, *ffn, *weights, *dropout)
        return result

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        saved, layout = Saved(*ctx.saved_tensors), ctx.layout
        grad_hidden, *grad_ffn_norm = _norm_backward(
            grad_outputs[0], saved.ffn_residual, saved.ffn_mean, saved.ffn_rstd, saved.ffn_norm
        )
        grad = _apply_dropout(grad_hidden, saved.ffn_dropout)
        grad_down_proj = _weight_gradients(grad, saved.activation)
        grad = grad @ saved.down_proj
        torch.ops.aten.gelu_backward.grad_input(grad, saved.up, grad_input=grad)
        grad_up_proj = _weight_gradients(grad, saved.ffn_input)
        grad_hidden.addmm_(grad, saved.up_proj)

        grad_hidden, *grad_attn_norm = _norm_backward(
            grad_hidden, saved.attn_residual, saved.attn_mean, saved.attn_rstd, saved.attn_norm
        )
        grad = _apply_dropout(grad_hidden, saved.attn_dropout)
        grad_out_proj = _weight_gradients(grad, saved.attn_out)
        grad_attn_out = grad.new_empty(layout.tokens + 1, grad.shape[1])
        torch.mm(grad, saved.out_proj, out=grad_attn_out[:-1])
        grad_attn_out[-1] = 0
        state = AttentionState(saved.query, saved.key, saved.value, saved.attn_probs)
        grad = attend_backward(grad_attn_out, state, layout)
        grad_qkv_proj = _weight_gradients(grad, saved.hidden)
        grad_hidden.addmm_(grad, saved.qkv_proj)

        grad_qkv = _split_qkv_gradients(*grad_qkv_proj, layout.heads)
        grads = (*grad_qkv, *grad_out_proj, *grad_attn_norm, *grad_up_proj, *grad_down_proj, *grad_ffn_norm)
        required = ctx.needs_input_grad[-len(grads) :]
        columns = zip(grads, ctx.weight_dtypes, required, strict=True)
        return grad_hidden, None, None, None, *(each.to(dtype) if needed else None for each, dtype, needed in columns)


def _qkv_projection(own: Weights, heads: int) -> tuple[Tensor, Tensor]:
    """Return weight [3 x out, in] and bias that compute query, key and value in one product.

    The query's weights are scaled by 1 / sqrt(head_dim), which costs less than scaling the scores.
    """
    scale = _scale(own.query, heads)
    weight = torch.cat([own.query * scale, own.key, own.value])
    return weight, torch.cat([own.query_bias * scale, own.key_bias, own.value_bias])


def _split_qkv_gradients(weight: Tensor, bias: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Return the gradients of the six tensors that `_qkv_projection` concatenates."""
    query, key, value = weight.chunk(3)
    query_bias, key_bias, value_bias = bias.chunk(3)
    scale = _scale(query, heads)
    return query * scale, query_bias * scale, key, key_bias, value, value_bias


def _scale(query: Tensor, heads: int) -> float:
    """Return 1 / sqrt(head_dim) (Vaswani et al. 2017, section 3.2.1)."""
    return 1 / math.sqrt(query.shape[0] // heads)


def _add_residual(branch: Tensor, residual: Tensor, dropout: Tensor | None) -> Tensor:
    """Return residual + dropout x branch, in the memory of `branch`."""
    return branch.add_(residual) if dropout is None else torch.addcmul(residual, branch, dropout, out=branch)


def _apply_dropout(grad: Tensor, dropout: Tensor | None) -> Tensor:
    return grad if dropout is None else grad * dropout


def _norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the layer norm of x and, per token, its mean and 1 / standard deviation."""
    return torch.native_layer_norm(x, x.shape[-1:], weight, bias, eps)


def _norm_backward(
    grad: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, of the weight and of the bias; they do not depend on the bias."""
    result: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_layer_norm_backward(
        grad, x, x.shape[-1:], mean, rstd, weight, weight, [True] * 3
    )
    return result


def _weight_gradients(grad: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of weight and bias of a linear layer with input `x` and output gradient `grad`."""
    return grad.t() @ x, grad.sum(0)
