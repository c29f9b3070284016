"""Requests for one model that are computed together, in a thread, in batches that are fair to short requests.

A request that is alone waits a moment for others. While a batch is computed, the next one fills. What waits is bounded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mhc.inference.predictor import Prediction

Predict = Callable[[Sequence[str]], Prediction]


class Full(Exception):  # not an error of the request: an answer
    """More texts wait than may."""


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """Sizes of the queue of one model."""

    batch_texts: int = 256
    """Texts that are computed at once."""
    waiting_texts: int = 4_096
    """Texts that wait or are computed."""
    waiting_characters: int = 16_000_000
    """Of these texts."""
    gathering: float = 0.002
    """Seconds for which the first request waits for others."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The prediction for the texts of one request."""

    labels: list[str]
    """The most probable label of each text; empty for an empty text."""
    probabilities: NDArray[np.float32]
    """[n, k], calibrated; a row of nan for an empty text."""
    cut: frozenset[int]
    """Positions of the texts that were longer than the model reads, and were cut."""


@dataclass(kw_only=True, eq=False)
class Waiting:
    """A request with texts that are not computed yet."""

    texts: Sequence[str]
    future: Future[Answer]
    taken: int = 0
    """Number of its texts that are computed, or are in the batch that is computed."""
    parts: list[Answer] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Number of its texts that are in no batch yet."""
        return len(self.texts) - self.taken

    def take(self, most: int) -> list[str]:
        """Return its next texts, at most this many."""
        start, self.taken = self.taken, min(len(self.texts), self.taken + most)
        return list(self.texts[start : self.taken])

    def add(self, part: Answer) -> None:
        """Add the prediction for texts that were taken, and answer if it was the last."""
        self.parts.append(part)
        if sum(len(each.labels) for each in self.parts) == len(self.texts):
            self.future.set_result(joined(self.parts))


class Batches:
    """The requests for one model.

    Args:
        predict: the model; it is called in the thread of `executor` only.
        executor: one thread, which the batches of all models share in turn.
        limits: sizes of the queue.
    """

    def __init__(self, predict: Predict, executor: Executor, limits: BatchLimits | None = None) -> None:
        self.limits = limits or BatchLimits()
        self.computed = 0
        """Number of batches."""
        self._predict, self._executor = predict, executor
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._texts = self._characters = 0
        self._running = False

    def submit(self, texts: Sequence[str]) -> Future[Answer]:
        """Return the future answer to a request.

        Raises:
            Full: if too many texts wait.
        """
        size = sum(map(len, texts))
        future: Future[Answer] = Future()
        with self._changed:
            limits = self.limits
            many = self._texts + len(texts) > limits.waiting_texts
            if many or self._characters + size > limits.waiting_characters:
                raise Full
            if not self._running:
                self._executor.submit(self._gather)
                self._running = True
            self._texts, self._characters = self._texts + len(texts), self._characters + size
            self._waiting.append(Waiting(texts=texts, future=future))
            self._changed.notify()
        future.add_done_callback(lambda _: self._release(len(texts), size))
        return future

    @property
    def waiting(self) -> int:
        """Number of texts that wait or are computed."""
        return self._texts

    def _release(self, texts: int, characters: int) -> None:
        with self._changed:
            self._texts, self._characters = self._texts - texts, self._characters - characters

    def _gather(self) -> None:
        """Wait a moment for further requests, and compute."""
        end = time.monotonic() + self.limits.gathering
        with self._changed:
            while self._texts < self.limits.batch_texts and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
        self._compute()

    def _compute(self) -> None:
        """Compute one batch; let the other models have theirs before the next."""
        with self._changed:
            batch = composed(self._waiting, self.limits.batch_texts)
            self._waiting = [request for request in self._waiting if request.left]
        if batch:
            self._answer(batch)
        with self._changed:
            self._running = bool(self._waiting)
            if self._running:
                self._executor.submit(self._compute)

    def _answer(self, batch: Sequence[tuple[Waiting, list[str]]]) -> None:
        """Compute a batch; if that fails, each of its requests alone, so that one cannot fail the others."""
        try:
            prediction = self._predict([text for _, texts in batch for text in texts])
        except Exception as error:  # it belongs to those who wait for it; this thread goes on
            if len(batch) > 1:
                for each in batch:
                    self._answer([each])
            else:
                self._fail(batch[0][0], error)
            return
        self.computed += 1
        start = 0
        for request, texts in batch:
            request.add(part_of(prediction, start, start + len(texts)))
            start += len(texts)

    def _fail(self, request: Waiting, error: Exception) -> None:
        with self._changed:
            self._waiting = [each for each in self._waiting if each is not request]
        request.future.set_exception(error)


def composed(waiting: Sequence[Waiting], most: int) -> list[tuple[Waiting, list[str]]]:
    """Return the texts of a batch, each request's together: all requests get a share, the oldest what is left over.

    A request that was cancelled before its first text is left out, and has nothing left.
    """
    alive = []
    for each in waiting[:most]:
        if each.taken or each.future.set_running_or_notify_cancel():
            alive.append(each)
        else:
            each.taken = len(each.texts)
    shares = [min(each.left, most // len(alive)) for each in alive]
    spare = most - sum(shares)
    batch = []
    for each, share in zip(alive, shares, strict=True):
        texts = each.take(share + spare)
        spare -= len(texts) - share
        batch.append((each, texts))
    return batch


def part_of(prediction: Prediction, start: int, stop: int) -> Answer:
    """Return the texts of a prediction from `start` to before `stop`."""
    return Answer(
        labels=prediction.labels[start:stop],
        probabilities=prediction.probabilities[start:stop],
        cut=frozenset(row - start for row in prediction.cut if start <= row < stop),
    )


def joined(parts: Sequence[Answer]) -> Answer:
    """Return the parts of an answer as one."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.labels) for part in parts)]).tolist()
    return Answer(
        labels=[label for part in parts for label in part.labels],
        probabilities=np.concatenate([part.probabilities for part in parts]),
        cut=frozenset(start + row for start, part in zip(starts, parts, strict=False) for row in part.cut),
    )
