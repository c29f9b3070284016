"""What a turn of a contender measures: real tokens per second between two steps, so that start-up does not count."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

WARM_STEPS = 2
"""First steps of a turn, which are not counted."""


@dataclass
class Clock:
    """Told of every step; says when the turn is over."""

    seconds: float
    """How long the turn goes on after its warm steps; at least one step is counted."""
    warm: int = WARM_STEPS
    ended: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def step(self, tokens: int) -> bool:
        """Note the end of a step that read so many real tokens; True: the turn is over."""
        self.ended.append(time.perf_counter())
        self.tokens.append(tokens)
        counted = len(self.ended) - self.warm
        return counted > 0 and self.ended[-1] - self.ended[self.warm - 1] >= self.seconds

    @property
    def rate(self) -> float:
        """Real tokens per second over the counted steps."""
        return sum(self.tokens[self.warm :]) / (self.ended[-1] - self.ended[self.warm - 1])
