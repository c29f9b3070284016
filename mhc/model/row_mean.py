"""The gradient of a step as the mean over its rows, whatever batches and processes they are spread over.

Lightning takes the mean over the batches of a step, and ddp the mean over the processes. Batches have different numbers
of rows, so both would give a row of a small batch more weight, and the last, incomplete cycle of an epoch a smaller
step. With one batch a step on one process, the mean over the batch is all there is, and nothing is computed here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def total_weight(loss: nn.Module, labels: Tensor) -> Tensor:
    """Return the divisor of a loss that is a mean over rows: their number, or the sum of their class weights."""
    weights = getattr(loss, "weights", None)
    if isinstance(weights, Tensor):
        return weights[labels].sum()
    return torch.tensor(float(len(labels)), device=labels.device)


class RowMean:
    """Weights the losses of one step.

    Args:
        batches: batches of a step on each process: Lightning divides each loss by it.
        processes: number of processes, whose gradients are averaged.
    """

    def __init__(self, batches: int, processes: int) -> None:
        self.batches, self.processes = batches, processes
        self.weight: Tensor | None = None

    def weighted(self, loss: Tensor, weight: Tensor) -> Tensor:
        """Return the loss to be differentiated: its share of the step, or its sum if other batches are to come."""
        if self.batches == 1:
            return loss * (weight * self.processes / self._over_processes(weight))
        self.weight = weight if self.weight is None else self.weight + weight
        return loss * weight

    def divide_gradients(self, optimizer: Optimizer) -> None:
        """Turn the gradients of the sums of a step's batches into the mean over its rows."""
        if self.weight is None:
            return
        factor = self.batches * self.processes / self._over_processes(self.weight)
        self.weight = None
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        torch._foreach_mul_(gradients, factor)

    def _over_processes(self, weight: Tensor) -> Tensor:
        if self.processes == 1:
            return weight
        total = weight.clone()
        torch.distributed.all_reduce(total)
        return total
