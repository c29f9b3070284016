"""Count the requests of each client, in bounded memory: a token bucket per address. Pure: the time is an argument."""

from __future__ import annotations

from collections import OrderedDict


class Rates:
    """Allow each client `burst` requests at once and `per_second` on average.

    If more than `clients` are counted, the one that was silent longest is forgotten.
    """

    def __init__(self, per_second: float, burst: int, clients: int) -> None:
        self._per_second, self._burst, self._clients = per_second, burst, clients
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def allows(self, client: str, now: float) -> bool:
        """Count a request at `now` (seconds), and return whether it may be answered."""
        left, last = self._buckets.pop(client, (float(self._burst), now))
        left = min(float(self._burst), left + (now - last) * self._per_second)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        while len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return allowed
