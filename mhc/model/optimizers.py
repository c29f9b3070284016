"""Optimizers with their parameter groups, gradient clipping, and the learning rate over the steps of a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mhc.errors import BadConfig
from mhc.model.adaptation import layers

Groups = list[dict[str, list[nn.Parameter] | float]]


def adamw(
    network: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.98),
    eps: float = 1e-8,
    decay_embeddings: bool = True,
    layer_decay: float = 1.0,
) -> Optimizer:
    """Return AdamW (Loshchilov and Hutter 2019) in one fused kernel per step.

    `lr` is that of the head; each layer of an encoder below it has `layer_decay` times the rate of the one above, the
    embeddings that of a layer below the lowest (Howard and Ruder 2018; Clark et al. 2020).

    Raises:
        BadConfig: if `lr` or `eps` is not above 0, `layer_decay` not above 0 and at most 1, or the network has no
            layers.
    """
    for key, value in (("lr", lr), ("eps", eps)):
        if not value > 0:
            raise BadConfig(f"model.optimizer.{key} is {value}; it must be above 0")
    if not 0 < layer_decay <= 1:
        raise BadConfig(f"model.optimizer.layer_decay is {layer_decay}; it must be above 0 and at most 1")
    groups = parameter_groups(network, weight_decay, decay_embeddings=decay_embeddings)
    if layer_decay != 1:
        groups = by_layer(groups, network, lr, layer_decay)
    beta1, beta2 = betas
    return AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, fused=True)


def sgd(network: nn.Module, *, lr: float, weight_decay: float, momentum: float) -> Optimizer:
    """Return gradient descent with Nesterov's momentum, for the linear model.

    AdamW moves the weight of a rare n-gram as far as that of a frequent one, and so memorises the rare ones.

    Raises:
        BadConfig: if `lr` is not above 0.
    """
    if not lr > 0:
        raise BadConfig(f"model.optimizer.lr is {lr}; it must be above 0")
    groups = parameter_groups(network, weight_decay)
    return SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0, fused=True)


def parameter_groups(network: nn.Module, weight_decay: float, *, decay_embeddings: bool = True) -> Groups:
    """Return two groups: matrices, with weight decay, and norms and biases, without.

    They are distinguished by name and module, because a strategy that shards parameters flattens their shapes.
    """
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    for module in network.modules():
        embedding = isinstance(module, nn.Embedding | nn.EmbeddingBag)
        exempt = "norm" in type(module).__name__.lower() or (embedding and not decay_embeddings)
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                (undecayed if exempt or name == "bias" else decayed).append(parameter)
    groups: Groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def by_layer(groups: Groups, network: nn.Module, lr: float, layer_decay: float) -> Groups:
    """Return the groups, each split by the depth of its parameters, with the learning rate of that depth."""
    depths = layers.depths(network, f"model.optimizer.layer_decay is {layer_decay}")
    top = max(depths.values())
    result: Groups = []
    for group in groups:
        inner: dict[int, list[nn.Parameter]] = {}
        parameters = group["params"]
        assert isinstance(parameters, list)
        for parameter in parameters:
            inner.setdefault(depths[id(parameter)], []).append(parameter)
        rates = {depth: lr * layer_decay ** (top - depth) for depth in sorted(inner, reverse=True)}
        result += [group | {"params": inner[depth], "lr": rate} for depth, rate in rates.items()]
    return result


def clip_norm(optimizer: Optimizer, max_norm: float) -> Tensor:
    """Clip the norm of the gradients for the next step and return the norm before, as `torch.nn.utils.clip_grad_norm_`.

    A fused optimizer divides the gradients while it reads them, as it does for a gradient scaler; for any other
    optimizer the gradients are multiplied here.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    if not optimizer.defaults.get("fused"):
        return nn.utils.clip_grad_norm_(weights, max_norm)
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    scale = ((norm + 1e-6) / max_norm).clamp(min=1.0).float()  # in float32, whatever the type of the weights
    optimizer.grad_scale = scale  # type: ignore[attr-defined]  # the attribute that a gradient scaler sets
    return norm


def warmup_then(optimizer: Optimizer, total_steps: int, *, warmup: float, decay: str, floor: float = 0.0) -> LambdaLR:
    """Return a schedule of linear warm-up, then `linear`, `cosine` or `constant` decay.

    Args:
        optimizer: whose learning rates are the peak.
        total_steps: steps of the whole training; the rate of later ones is the floor.
        warmup: fraction of the steps, at least 0 and below 1, in which the rate rises from 0 to the peak.
        decay: linear, cosine or constant.
        floor: final rate, as a fraction of the peak.

    Raises:
        BadConfig: if `warmup` is out of its range, or there is no such decay.
    """
    if not 0 <= warmup < 1:
        raise BadConfig(f"model.schedule.warmup is {warmup}; it must be at least 0 and below 1")
    if decay not in DECAYS:
        raise BadConfig(f"model.schedule.decay is {decay!r}; it must be one of {', '.join(DECAYS)}")
    curve, warmup_steps = DECAYS[decay], round(warmup * total_steps)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return floor + (1 - floor) * curve(progress)

    return LambdaLR(optimizer, factor)


DECAYS: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "constant": lambda progress: 1.0,
}
"""Learning rate as a fraction of the peak, by the progress of the decay, 0 to 1."""
