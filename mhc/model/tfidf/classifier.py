"""LightningModule that fits a linear model to all of train in one step; everything else is as for other networks.

The batches of the only epoch are collected, and the step at its end is the fit, on every process to the rows of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from mhc.data.tokenizer import Encoded
from mhc.errors import BadConfig
from mhc.metrics import log_loss
from mhc.model.classifier import Batch, LossFactory, TextClassifier, real_tokens
from mhc.model.fitted_network import FittedNetwork
from mhc.model.losses import CrossEntropy
from mhc.model.tfidf.logistic import LogisticRegression, Solution

WHOLE_EPOCH = 1 << 40
"""Batches of a step: more than an epoch has, so that its end is the only step."""


class FittedClassifier(TextClassifier):
    """Fit and evaluation of a linear model.

    Args:
        network: takes the fitted numbers.
        labels: class names in the order of the logits.
        class_counts: rows of train per class.
        loss: called with class_counts; cross entropy, whose class weights are those of the rows.
        solver: fits the numbers.
        name: of the model in the record.
        seed: of the folds of cross-validation.
        max_tokens: longest text, for the record.
        long_texts: how longer texts are read, for the record.

    Raises:
        BadConfig: if the network has no features to fit, or the loss is another one, or has label smoothing.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        labels: Sequence[str],
        class_counts: Sequence[int],
        loss: LossFactory,
        solver: LogisticRegression,
        name: str,
        seed: int,
        max_tokens: int | None = None,
        long_texts: str | None = None,
    ) -> None:
        super().__init__(
            network,
            labels=labels,
            class_counts=class_counts,
            optimizer=without_steps,
            schedule=no_schedule,
            loss=loss,
            name=name,
            seed=seed,
            max_tokens=max_tokens,
            long_texts=long_texts,
            fast="never",
        )
        self.network: FittedNetwork = fitted(network)
        refuse_other_losses(self.loss)
        self.solver = solver
        self.notes: list[tuple[str, str]] = []
        """What was chosen and computed, for the history of the run, which takes it out of the list."""
        self._batches: list[Batch] = []
        self._computed = ""

    def setup(self, stage: str) -> None:
        """Give the network what is known before the fit.

        Raises:
            BadConfig: if the weights would be rounded to 16 bits.
        """
        if self.trainer.precision.endswith("-true") and self.trainer.precision != "32-true":
            raise BadConfig(f"trainer.precision is {self.trainer.precision}; a fitted model needs 32-true")
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]  # a connector sets it
        self.network.prepare(data.tokenizer, data.cache, self.max_tokens)

    def on_train_start(self) -> None:
        """Make the end of the epoch the only step."""
        self.trainer.accumulate_grad_batches = WHOLE_EPOCH

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Collect a batch; its loss is not known before the fit."""
        self._batches.append({key: batch[key].cpu() for key in ("input_ids", "labels", "rows")})
        self.meter.add(real_tokens(batch), "n-grams")
        return torch.zeros((), device=self.device, requires_grad=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return an optimizer that changes nothing: Lightning counts its steps, and saves no checkpoint without one."""
        return without_steps(self.network)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Do nothing: there are no gradients."""

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], object] | None = None,
    ) -> None:
        """Collect the last batch, fit, and end the training after this epoch."""
        assert optimizer_closure is not None
        optimizer_closure()
        self.fit_network()
        self.trainer.should_stop = True

    def fit_network(self) -> None:
        """Fit the network to the rows of all processes."""
        own = columns(self._batches)
        self._batches = []
        self.network.exchange(Encoded(ids=own[3], lengths=own[2]))
        rows, texts, labels = merged(own)
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]  # a connector sets it
        authors = data.corpus.authors("train")
        solution = self.solver.fit(
            self.network.features(texts),
            labels,
            len(self.labels),
            weights=self.row_weights(labels),
            groups=None if authors is None else np.asarray(authors, np.int64)[rows],
            seed=self.seed,
        )
        self.network.solve(solution)
        probabilities = self.network.probabilities(texts, len(self.labels))
        self._epoch_loss.fill_(log_loss(labels, probabilities) * len(labels))
        self._epoch_rows = len(labels)
        self.tell(solution)

    def row_weights(self, labels: np.ndarray) -> np.ndarray | None:
        """Return the weight of each row by its class, [rows]; None if all count alike."""
        weights = self.loss.weights
        return weights.cpu().numpy()[labels] if isinstance(weights, Tensor) else None

    def tell(self, solution: Solution) -> None:
        """Log what was chosen; the history of the run gets it by `notes`."""
        self.log("train/C", solution.strength, batch_size=1)
        if solution.scores:
            scores = ", ".join(f"{strength:g}: {score:.3f}" for strength, score in solution.scores.items())
            by = f"C = {solution.strength:g} by cross-validated macro-F1 on {solution.rows:,} rows of train ({scores})"
            self.notes.append(("regularisation chosen", by))

    def on_validation_epoch_end(self) -> None:
        """Compute and log the metrics of the split, and end the pass."""
        super().on_validation_epoch_end()
        self.end_pass()

    def on_test_epoch_end(self) -> None:
        """Compute and log the metrics of the split, and end the pass."""
        super().on_test_epoch_end()
        self.end_pass()

    def end_pass(self) -> None:
        """End a pass over a split; what was computed is told once, although val is passed twice."""
        computed = self.network.finish()
        if computed and not self.trainer.sanity_checking and computed != self._computed:
            self._computed = computed
            self.notes.append(("texts computed", computed))


def without_steps(network: nn.Module) -> Optimizer:
    """Return an optimizer with a learning rate of 0."""
    return torch.optim.SGD(network.parameters(), lr=0.0)


def no_schedule(optimizer: Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a constant learning rate."""
    return torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)


Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def merged(own: Columns) -> tuple[np.ndarray, Encoded, np.ndarray]:
    """Return rows, texts and labels of all processes, ordered by row; a row that several have counts once."""
    parts: list[Columns] = [own]
    if distributed.is_available() and distributed.is_initialized():
        parts = [own] * distributed.get_world_size()
        distributed.all_gather_object(parts, own)
    rows, labels, lengths, ids = (np.concatenate(column) for column in zip(*parts, strict=True))
    _, first = np.unique(rows, return_index=True)
    starts = np.cumsum(lengths) - lengths
    positions = np.concatenate([np.arange(starts[row], starts[row] + lengths[row]) for row in first])
    return rows[first], Encoded(ids=ids[positions], lengths=lengths[first]), labels[first]


def columns(batches: Sequence[Batch]) -> Columns:
    """Return rows, labels and lengths [rows], and the ids of all rows, without padding."""
    ids = [batch["input_ids"].numpy() for batch in batches]
    return (
        torch.cat([batch["rows"] for batch in batches]).numpy(),
        torch.cat([batch["labels"] for batch in batches]).numpy(),
        np.concatenate([(part > 0).sum(axis=1) for part in ids]),
        np.concatenate([part[part > 0] for part in ids]),
    )


def fitted(network: nn.Module) -> FittedNetwork:
    """Return the network, which has features to fit.

    Raises:
        BadConfig: if it has none.
    """
    if not isinstance(network, FittedNetwork):
        raise BadConfig(
            "model.solver fits mhc.model.tfidf.network.tfidf_linear, and embedding_linear of "
            f"mhc.model.embedding.network, not {type(network).__name__}"
        )
    return network


def refuse_other_losses(loss: nn.Module) -> None:
    """Refuse a loss that the solver does not minimise.

    Raises:
        BadConfig: if it is another one than cross entropy, or has label smoothing.
    """
    if not isinstance(loss, CrossEntropy) or loss.label_smoothing:
        raise BadConfig(
            "model.loss of a linear model is cross entropy without label smoothing. "
            "Leave model.loss as it is, except model.loss.weights"
        )
