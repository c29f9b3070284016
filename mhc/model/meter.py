"""Counts the real tokens that training has read, and the seconds it took, validation left out. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Meter:
    """A stopwatch with a counter; of one process."""

    clock: Callable[[], float] = time.perf_counter
    tokens: int = 0
    seconds: float = 0.0
    """Up to the last stop."""
    _since: float | None = None

    def start(self) -> None:
        """Training goes on; does nothing where it already runs."""
        if self._since is None:
            self._since = self.clock()

    def stop(self) -> None:
        """Training pauses; does nothing where it already stands."""
        if self._since is not None:
            self.seconds += self.clock() - self._since
            self._since = None

    @property
    def elapsed(self) -> float:
        """Seconds of training until now."""
        running = 0.0 if self._since is None else self.clock() - self._since
        return self.seconds + running

    @property
    def tokens_per_s(self) -> float | None:
        """Real tokens per second of training; None before the first."""
        return self.tokens / self.elapsed if self.tokens and self.elapsed > 0 else None
