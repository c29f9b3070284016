"""How weights are moved: AdamW with its parameter groups, and the learning rate over the steps of a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mhc.errors import BadConfig

Groups = list[dict[str, list[nn.Parameter] | float]]


def adamw(
    network: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.98),
    eps: float = 1e-8,
    decay_embeddings: bool = True,
) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019) in one fused kernel per step."""
    for key, value in (("lr", lr), ("eps", eps)):
        if not value > 0:
            raise BadConfig(f"model.optimizer.{key} is {value}; it must be above 0.")
    groups = parameter_groups(network, weight_decay, decay_embeddings=decay_embeddings)
    first, second = betas
    return AdamW(groups, lr=lr, betas=(first, second), eps=eps, fused=True)


def sgd(network: nn.Module, *, lr: float, weight_decay: float, momentum: float) -> Optimizer:
    """Gradient descent with Nesterov's momentum, for the linear model.

    AdamW moves the weight of a rare n-gram as far as that of a frequent one, and so learns the rare ones by heart.
    """
    if not lr > 0:
        raise BadConfig(f"model.optimizer.lr is {lr}; it must be above 0.")
    groups = parameter_groups(network, weight_decay)
    return SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0, fused=True)


def parameter_groups(network: nn.Module, weight_decay: float, *, decay_embeddings: bool = True) -> Groups:
    """Two groups: matrices, which decay, and norms and biases, which do not.

    Told apart by name and module, because a strategy that shards parameters flattens their shapes.
    """
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for module in network.modules():
        embedding = isinstance(module, nn.Embedding | nn.EmbeddingBag)
        keep_all = "norm" in type(module).__name__.lower() or (embedding and not decay_embeddings)
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                (kept if keep_all or name == "bias" else decayed).append(parameter)
    groups: Groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def clip_norm(optimizer: Optimizer, most: float) -> Tensor:
    """Clip the gradients' norm for the next step, and return what it was: `torch.nn.utils.clip_grad_norm_`.

    A fused optimizer divides the gradients while it reads them anyway, as it would for a gradient scaler; another one
    has them multiplied before.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    if not optimizer.defaults.get("fused"):
        return nn.utils.clip_grad_norm_(weights, most)
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    scale = ((norm + 1e-6) / most).clamp(min=1.0).float()  # in float32, whatever the weights are in
    optimizer.grad_scale = scale  # type: ignore[attr-defined]  # what a gradient scaler sets
    return norm


def warmup_then(optimizer: Optimizer, total_steps: int, *, warmup: float, decay: str, floor: float = 0.0) -> LambdaLR:
    """Linear warm-up over a share of all steps, then `linear`, `cosine` or `constant`.

    Args:
        optimizer: whose learning rates are the peak.
        total_steps: steps of the whole training; later ones stay at the floor.
        warmup: share of the steps, 0 to 1, that climb from 0 to the peak.
        decay: linear, cosine or constant.
        floor: share of the peak that is left at the end.
    """
    if not 0 <= warmup < 1:
        raise BadConfig(f"model.schedule.warmup is {warmup}; it must be at least 0 and below 1.")
    if decay not in SHAPES:
        raise BadConfig(f"model.schedule.decay is {decay!r}; it must be one of {', '.join(SHAPES)}.")
    shape, climb = SHAPES[decay], round(warmup * total_steps)

    def share(step: int) -> float:
        if step < climb:
            return (step + 1) / (climb + 1)
        done = min(1.0, (step - climb) / max(1, total_steps - climb))
        return floor + (1 - floor) * shape(done)

    return LambdaLR(optimizer, share)


SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "constant": lambda done: 1.0,
}
"""Share of the peak that is left, by the share of the decay that is done."""
