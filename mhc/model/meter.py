"""Counts the real tokens that training has read, and the seconds it took, validation left out. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor


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
