"""What a network said about one split: collected batch by batch, gathered over processes, put in row order."""

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
    """One split, one entry per row of it, ordered by row."""

    metrics: Metrics
    rows: npt.NDArray[np.int64]
    """Position within the split, shape [n], strictly ascending."""
    labels: npt.NDArray[np.int64]
    """True class, shape [n]."""
    probabilities: npt.NDArray[np.float32]
    """Shape [n, classes]."""


@dataclass
class Collector:
    """Keeps the outputs of batches where they are calculated; nothing is copied or waited for before `result`."""

    _rows: list[Tensor] = field(default_factory=list)
    _labels: list[Tensor] = field(default_factory=list)
    _logits: list[Tensor] = field(default_factory=list)

    def add(self, rows: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Remember a batch: rows [batch], labels [batch], logits [batch, classes]."""
        self._rows.append(rows)
        self._labels.append(labels)
        self._logits.append(logits.detach().float())

    def result(self, names: Sequence[str]) -> SplitResult:
        """The whole split: every process gets the same; forgets the batches.

        Raises:
            MhcError: a probability is not a number, because the training diverged.
        """
        rows, labels, probabilities = in_row_order(gathered(self._columns(len(names))))
        if not np.isfinite(probabilities).all():
            raise MhcError("The network's outputs are not numbers: the training diverged; lower model.optimizer.lr.")
        metrics = measure(labels, probabilities, names)
        return SplitResult(metrics=metrics, rows=rows, labels=labels, probabilities=probabilities)

    def _columns(self, classes: int) -> Columns:
        if not self._rows:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, classes), np.float32)
        probabilities = torch.cat(self._logits).softmax(dim=1)
        columns = torch.cat(self._rows), torch.cat(self._labels), probabilities
        self._rows, self._labels, self._logits = [], [], []
        rows, labels, scores = (column.cpu().numpy() for column in columns)
        return rows, labels, scores


def gathered(columns: Columns) -> list[Columns]:
    """The columns of every process, in the order of ranks; processes may hold different numbers of rows."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [columns]
    parts: list[Columns] = [columns] * distributed.get_world_size()
    distributed.all_gather_object(parts, columns)
    return parts


def in_row_order(parts: list[Columns]) -> Columns:
    """One entry per row, ascending; a row that several processes held (padding of a sampler) counts once."""
    rows, labels, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
    unique, first = np.unique(rows, return_index=True)
    return unique, labels[first], probabilities[first]


class Meter:
    """A stopwatch with a counter; of one process."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self._stopped_after = 0.0
        self._since: float | None = None
        self._tokens: Tensor | None = None

    def add(self, tokens: Tensor) -> None:
        """Count a batch: a scalar that stays where it lies, so that nothing waits for an accelerator."""
        self._tokens = tokens if self._tokens is None else self._tokens + tokens

    def start(self) -> None:
        """Training goes on; does nothing where it already runs."""
        if self._since is None:
            self._since = self.clock()

    def stop(self) -> None:
        """Training pauses; does nothing where it already stands."""
        self._stopped_after, self._since = self.elapsed, None

    @property
    def tokens(self) -> int:
        """Tokens until now; asking waits for the accelerator that counts them."""
        return 0 if self._tokens is None else int(self._tokens)

    @property
    def elapsed(self) -> float:
        """Seconds of training until now."""
        running = 0.0 if self._since is None else self.clock() - self._since
        return self._stopped_after + running

    @property
    def tokens_per_s(self) -> float | None:
        """Real tokens per second of training; None before the first."""
        return self.tokens / self.elapsed if self._tokens is not None and self.elapsed > 0 else None
