"""One layer of a BERT encoder over packed tokens, forward and backward in one step of autograd.

What autograd would compute operation by operation is written out, so that sums are added where they lie, nothing is
multiplied by one, and a large result takes the place of the one that it came from.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from transformers.models.bert.modeling_bert import BertLayer

from mhc.model.fast_bert.attention import Layout, Spread, attend, attend_backward
from mhc.model.fast_bert.dropout import DropoutPool
from mhc.model.fast_bert.linear import affine


class Weights(NamedTuple):
    """Of a layer, as transformers has them: matrices [out, in] and vectors [out]."""

    query: Tensor
    query_bias: Tensor
    key: Tensor
    key_bias: Tensor
    value: Tensor
    value_bias: Tensor
    mix: Tensor
    mix_bias: Tensor
    norm: Tensor
    norm_bias: Tensor
    widen: Tensor
    widen_bias: Tensor
    narrow: Tensor
    narrow_bias: Tensor
    last_norm: Tensor
    last_norm_bias: Tensor

    @classmethod
    def of(cls, layer: BertLayer) -> Weights:
        """Those of a layer of transformers."""
        part, feed = layer.attention.self, layer.intermediate.dense
        before, after = layer.attention.output, layer.output
        modules = (part.query, part.key, part.value, before.dense, before.LayerNorm, feed, after.dense, after.LayerNorm)
        return cls(*(weight for module in modules for weight in (module.weight, module.bias)))


def block(hidden: Tensor, layer: BertLayer, layout: Layout, pool: DropoutPool | None) -> Tensor:
    """[tokens, width] to [tokens, width]: attention, then feed-forward, each added to what came in, then normed."""
    masks = (pool.take(hidden), pool.take(hidden)) if pool else None
    eps = layer.output.LayerNorm.eps
    result: Tensor = _Block.apply(hidden, layout, masks, eps, *Weights.of(layer))  # type: ignore[no-untyped-call]
    return result


class Saved(NamedTuple):
    """What the backward needs of the forward."""

    hidden: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    shares: Tensor
    mixed: Tensor
    middle: Tensor
    mean: Tensor
    scale: Tensor
    attended: Tensor
    wide: Tensor
    active: Tensor
    last: Tensor
    last_mean: Tensor
    last_scale: Tensor
    project: Tensor
    mix: Tensor
    widen: Tensor
    narrow: Tensor
    norm: Tensor
    last_norm: Tensor
    mask: Tensor | None
    last_mask: Tensor | None


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, layout: Layout, masks: tuple[Tensor, Tensor] | None, eps: float, *tensors: Tensor
    ) -> Tensor:
        ctx.kinds, ctx.layout = [tensor.dtype for tensor in tensors], layout
        own, mask = Weights(*(tensor.to(hidden.dtype) for tensor in tensors)), masks or (None, None)
        project, project_bias = _projection(own, layout.heads)
        mixed, spread = attend(affine(hidden, project, project_bias), layout)
        middle = _added(affine(mixed, own.mix, own.mix_bias), hidden, mask[0])
        attended, *stats = _norm(middle, own.norm, own.norm_bias, eps)
        wide = affine(attended, own.widen, own.widen_bias)
        active = functional.gelu(wide)
        last = _added(affine(active, own.narrow, own.narrow_bias), attended, mask[1])
        result, *last_stats = _norm(last, own.last_norm, own.last_norm_bias, eps)
        kept = (hidden, *spread, mixed, middle, *stats, attended, wide, active, last, *last_stats)
        ctx.save_for_backward(*kept, project, own.mix, own.widen, own.narrow, own.norm, own.last_norm, *mask)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved, layout = Saved(*ctx.saved_tensors), ctx.layout
        gradient, *last_norm = _norm_backward(
            gradients[0], saved.last, saved.last_mean, saved.last_scale, saved.last_norm
        )
        change = _dropped(gradient, saved.last_mask)
        narrow = _of_weights(change, saved.active)
        change = change @ saved.narrow
        torch.ops.aten.gelu_backward.grad_input(change, saved.wide, grad_input=change)
        widen = _of_weights(change, saved.attended)
        gradient.addmm_(change, saved.widen)

        gradient, *norm = _norm_backward(gradient, saved.middle, saved.mean, saved.scale, saved.norm)
        change = _dropped(gradient, saved.mask)
        mix = _of_weights(change, saved.mixed)
        taken = change.new_empty(layout.tokens + 1, change.shape[1])
        torch.mm(change, saved.mix, out=taken[:-1])
        taken[-1] = 0
        change = attend_backward(taken, Spread(saved.query, saved.key, saved.value, saved.shares), layout)
        project = _of_weights(change, saved.hidden)
        gradient.addmm_(change, saved.project)

        parts = _of_projection(*project, layout.heads)
        found = (*parts, *mix, *norm, *widen, *narrow, *last_norm)
        needed = ctx.needs_input_grad[-len(found) :]
        cast = [each.to(kind) if wanted else None for each, kind, wanted in zip(found, ctx.kinds, needed, strict=True)]
        return gradient, None, None, None, *cast


def _projection(own: Weights, heads: int) -> tuple[Tensor, Tensor]:
    """Queries, keys and values in one product; queries come scaled, by a pass over the weights, not over the scores."""
    scale = _scale(own.query, heads)
    weight = torch.cat([own.query * scale, own.key, own.value])
    return weight, torch.cat([own.query_bias * scale, own.key_bias, own.value_bias])


def _of_projection(weight: Tensor, bias: Tensor, heads: int) -> tuple[Tensor, ...]:
    """The gradients of the six tensors that `_projection` put together."""
    query, key, value = weight.chunk(3)
    query_bias, key_bias, value_bias = bias.chunk(3)
    scale = _scale(query, heads)
    return query * scale, query_bias * scale, key, key_bias, value, value_bias


def _scale(query: Tensor, heads: int) -> float:
    return 1 / math.sqrt(query.shape[0] // heads)


def _added(change: Tensor, hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The sum, in the place of the change."""
    return change.add_(hidden) if mask is None else torch.addcmul(hidden, change, mask, out=change)


def _dropped(gradient: Tensor, mask: Tensor | None) -> Tensor:
    return gradient if mask is None else gradient * mask


def _norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    return torch.native_layer_norm(x, x.shape[-1:], weight, bias, eps)


def _norm_backward(
    gradient: Tensor, x: Tensor, mean: Tensor, scale: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of x, of the weight and of the bias; the bias itself does not matter."""
    result: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_layer_norm_backward(
        gradient, x, x.shape[-1:], mean, scale, weight, weight, [True] * 3
    )
    return result


def _of_weights(gradient: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    return gradient.t() @ x, gradient.sum(0)
