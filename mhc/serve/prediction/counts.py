"""What was predicted, in numbers for `/metrics`. Pure; no part of a text is in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Counts:
    """Counts since the start of the server."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By path and status of the answer."""
    seconds: Counter[str] = field(default_factory=Counter)
    """Sum of the times from request to answer, by path."""
    texts: Counter[str] = field(default_factory=Counter)
    """Labelled texts, by bundle."""

    def add(self, path: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.requests[path, status] += 1
        self.seconds[path] += seconds  # type: ignore[assignment]  # a Counter adds any numbers

    def metrics(self) -> dict[str, float]:
        """Return the values by their names in the text format of Prometheus."""
        values: dict[str, float] = {}
        for (path, status), number in sorted(self.requests.items()):
            values[f'mhc_predict_requests_total{{path="{path}",status="{status}"}}'] = number
        for path, seconds in sorted(self.seconds.items()):
            values[f'mhc_predict_seconds_sum{{path="{path}"}}'] = seconds
        for bundle, number in sorted(self.texts.items()):
            values[f'mhc_predict_texts_total{{bundle="{bundle}"}}'] = number
        return values
