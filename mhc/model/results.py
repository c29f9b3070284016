"""Results of training: the predictions of a whole split, and the throughput of one process.

A `Collector` stores the outputs of a split batch by batch; `all_gather` combines those of all processes, and
`merge_by_row` orders them by row. A `Meter` counts tokens and seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed

from mhc.errors import MhcError
from mhc.facts import Metrics
from mhc.metrics import measure

Columns = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""rows [n], labels [n], probabilities [n, classes]."""


@dataclass(frozen=True, kw_only=True)
class SplitResult:
    """Predictions and metrics of one split, one entry per row, ordered by row."""

    metrics: Metrics
    rows: npt.NDArray[np.int64]
    """Position within the split, [n], strictly ascending."""
    labels: npt.NDArray[np.int64]
    """True class, [n]."""
    probabilities: npt.NDArray[np.float32]
    """[n, classes]."""


@dataclass
class Collector:
    """Outputs of the batches of one split, on the device that computed them; `result` copies them to the CPU."""

    _rows: list[Tensor] = field(default_factory=list)
    _labels: list[Tensor] = field(default_factory=list)
    _logits: list[Tensor] = field(default_factory=list)

    def add(self, rows: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Store a batch without a copy or a wait: rows [batch], labels [batch], logits [batch, classes]."""
        self._rows.append(rows)
        self._labels.append(labels)
        self._logits.append(logits.detach().float())

    def result(self, names: Sequence[str]) -> SplitResult:
        """Return the whole split, the same in every process, and clear the batches.

        Args:
            names: class names in the order of the logits.

        Raises:
            MhcError: if a probability is not a number, because the training diverged.
        """
        rows, labels, probabilities = merge_by_row(all_gather(self._columns(len(names))))
        if not np.isfinite(probabilities).all():
            raise MhcError("The network's outputs are not numbers: the training diverged; lower model.optimizer.lr")
        metrics = measure(labels, probabilities, names)
        return SplitResult(metrics=metrics, rows=rows, labels=labels, probabilities=probabilities)

    def _columns(self, classes: int) -> Columns:
        """Return the columns of this process as arrays, and clear the batches."""
        if not self._rows:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, classes), np.float32)
        probabilities = torch.cat(self._logits).softmax(dim=1)
        columns = torch.cat(self._rows), torch.cat(self._labels), probabilities
        self._rows, self._labels, self._logits = [], [], []
        rows, labels, scores = (column.cpu().numpy() for column in columns)
        return rows, labels, scores


def all_gather(columns: Columns) -> list[Columns]:
    """Return the columns of every process in the order of ranks; processes may have different numbers of rows."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [columns]
    parts: list[Columns] = [columns] * distributed.get_world_size()
    distributed.all_gather_object(parts, columns)
    return parts


def merge_by_row(parts: list[Columns]) -> Columns:
    """Return one entry per row, ascending; a row in several processes (padding of a sampler) counts once."""
    rows, labels, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
    unique, first = np.unique(rows, return_index=True)
    return unique, labels[first], probabilities[first]


class Meter:
    """Training time and token count of one process.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self._accumulated = 0.0
        self._started: float | None = None
        self._tokens: Tensor | None = None
        self.unit = "tokens"

    def add(self, tokens: Tensor, unit: str = "tokens") -> None:
        """Add the tokens of a batch, a scalar that stays on its device, so that nothing waits for an accelerator.

        `unit` names what is counted: tokens, or the n-grams of a bag of words, several for each word.
        """
        self.unit = unit
        self._tokens = tokens if self._tokens is None else self._tokens + tokens

    def start(self) -> None:
        """Start or resume the clock; a running clock is not changed."""
        if self._started is None:
            self._started = self.clock()

    def stop(self) -> None:
        """Pause the clock; a paused clock is not changed."""
        self._accumulated, self._started = self.elapsed, None

    @property
    def tokens(self) -> int:
        """Tokens so far; reading it waits for the accelerator that counts them."""
        return 0 if self._tokens is None else int(self._tokens)

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        running = 0.0 if self._started is None else self.clock() - self._started
        return self._accumulated + running

    @property
    def tokens_per_s(self) -> float | None:
        """Real tokens per second of training; None before the first batch."""
        return self.tokens / self.elapsed if self._tokens is not None and self.elapsed > 0 else None
