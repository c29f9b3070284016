"""Linear layers over packed tokens, computed in a lower precision than that of their weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x @ weight.T + bias, [tokens, out] from [tokens, in]; all of one type, without gradient.

    In bfloat16 torch's own kernel first writes the bias to the whole result and then adds the product; oneDNN adds the
    bias while it writes the product.
    """
    if x.dtype == torch.bfloat16 and x.device.type == "cpu" and _has_fused_bias():
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return result
    return functional.linear(x, weight, bias)


@cache
def _has_fused_bias() -> bool:
    """Return whether torch has the operator that its compiler uses for linear layers, and the CPU has bfloat16."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return [tokens, out] from [tokens, in] in x's type; gradients of weight and bias are in the weight's type."""
    result: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        cast = weight.to(x.dtype)
        ctx.save_for_backward(x, cast)
        ctx.weight_dtype = weight.dtype
        return affine(x, cast, bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grad_outputs
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            grad @ weight if needs_x else None,
            (grad.t() @ x).to(ctx.weight_dtype) if needs_weight else None,
            grad.sum(0).to(ctx.weight_dtype) if needs_bias else None,
        )
