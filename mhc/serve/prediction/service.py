"""The predictions of one server: its bundles, its counts, and the routes that lead to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.routing import Route

from mhc.serve.prediction import schema
from mhc.serve.prediction.api import Api
from mhc.serve.prediction.bundles import Bundles
from mhc.serve.prediction.counts import Counts
from mhc.serve.prediction.try_it import PATH, TryIt
from mhc.serve.settings import PREDICT, Settings


@dataclass(frozen=True)
class Predictions:
    """What labels texts in a server; its threads start with the first request."""

    settings: Settings
    bundles: Bundles
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def of(cls, settings: Settings) -> Predictions:
        """Return the predictions of a server with these settings."""
        return cls(settings, Bundles(settings.models, precision=settings.precision, device=settings.device))

    def routes(self) -> list[Route]:
        """Return the routes."""
        api = Api(self.bundles, self.counts)
        return [
            Route(PREDICT, api.predict, methods=["POST"]),
            Route(schema.SCHEMA, api.describe),
            Route(PATH, TryIt(self.settings, self.bundles, self.counts).answer, methods=["GET", "POST"]),
        ]

    def metrics(self) -> dict[str, float]:
        """Return numbers by their names in the text format of Prometheus; none is about a text."""
        values = self.counts.metrics()
        for served in self.bundles.all_served():
            labels = f'{{bundle="{served.bundle.name}"}}'
            values[f"mhc_predict_batches_total{labels}"] = served.batches.computed
            values[f"mhc_predict_waiting_texts{labels}"] = served.batches.waiting
        return values

    def close(self) -> None:
        """End the threads after what they compute."""
        self.bundles.close()
