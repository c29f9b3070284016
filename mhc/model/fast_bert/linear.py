"""Linear layers over packed tokens, in a lower precision than their weights'."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """[tokens, in] to [tokens, out], all of one type; no gradient.

    In bfloat16 torch's own writes the bias to the whole result first, and then adds the product; oneDNN adds it while
    it writes.
    """
    if x.dtype == torch.bfloat16 and x.device.type == "cpu" and _adds_bias():
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return result
    return functional.linear(x, weight, bias)


@cache
def _adds_bias() -> bool:
    """Whether this build of torch has what its compiler calls for linear layers on a CPU, and the CPU bfloat16."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """[tokens, in] to [tokens, out] in x's type; the weights' gradients come in the weights' type."""
    result: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        cast = weight.to(x.dtype)
        ctx.save_for_backward(x, cast)
        ctx.kind = weight.dtype
        return affine(x, cast, bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            gradient @ weight if for_x else None,
            (gradient.t() @ x).to(ctx.kind) if for_weight else None,
            gradient.sum(0).to(ctx.kind) if for_bias else None,
        )
