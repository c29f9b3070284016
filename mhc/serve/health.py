"""Whether the server answers, and counts for Prometheus. Neither has a name or a text of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from mhc.index.index import Counts, Index
from mhc.serve.live import Live
from mhc.serve.site import Site

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """The two addresses for programs that watch the server."""

    def __init__(self, site: Site, live: Live, predictions: Callable[[], dict[str, float]]) -> None:
        self._site, self._live, self._predictions = site, live, predictions
        self._started = time.monotonic()

    async def health(self, request: Request) -> Response:
        """Answer if the index of the runs can be read."""
        await self._site.quick.read(Index.counts)
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """Answer with the counts."""
        counts = await self._site.quick.read(Index.counts)
        return PlainTextResponse("\n".join(self._lines(counts)) + "\n", media_type=TYPE)

    def _lines(self, counts: Counts) -> Iterator[str]:
        yield from _gauge("mhc_up_seconds", "Seconds since the start.", round(time.monotonic() - self._started, 1))
        yield from _gauge("mhc_live_pages", "Pages that are kept up to date.", self._live.pages)
        yield from _gauge("mhc_candidates", "Runs that could be promoted.", counts.candidates)
        yield "# HELP mhc_runs Runs by status."
        yield "# TYPE mhc_runs gauge"
        yield from (f'mhc_runs{{status="{status}"}} {count}' for status, count in sorted(counts.by_status.items()))
        yield "# HELP mhc_answers_total Answers by their HTTP status."
        yield "# TYPE mhc_answers_total counter"
        answers = sorted(self._site.answers.items())
        yield from (f'mhc_answers_total{{code="{code}"}} {count}' for code, count in answers)
        yield from (f"{name} {value:.10g}" for name, value in self._predictions().items())


def _gauge(name: str, meaning: str, value: float) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value}"]
