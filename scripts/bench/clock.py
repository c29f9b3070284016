"""Measurement of one turn: real tokens per second between two steps, so that start-up does not count."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

WARM_STEPS = 2
"""First steps of a turn, which are not counted."""


@dataclass
class Clock:
    """Steps of a turn: counts them and decides when the turn is over."""

    seconds: float
    """Length of the turn after its warm steps; at least one step is counted."""
    warm: int = WARM_STEPS
    ended: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def step(self, tokens: int) -> bool:
        """Record the end of a step that read `tokens` real tokens; return True if the turn is over."""
        self.ended.append(time.perf_counter())
        self.tokens.append(tokens)
        counted = len(self.ended) - self.warm
        return counted > 0 and self.ended[-1] - self.ended[self.warm - 1] >= self.seconds

    @property
    def rate(self) -> float:
        """Real tokens per second over the counted steps."""
        return sum(self.tokens[self.warm :]) / (self.ended[-1] - self.ended[self.warm - 1])
