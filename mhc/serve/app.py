"""The server as an ASGI application: the guard, the pages, the threads behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from mhc.serve.actions import ACTIONS, Actions
from mhc.serve.explained import Explained, http_error
from mhc.serve.health import Health
from mhc.serve.live import Live
from mhc.serve.login import Login
from mhc.serve.pages.candidates import Candidates
from mhc.serve.pages.compare import Compare
from mhc.serve.pages.details import Run
from mhc.serve.pages.production import Production
from mhc.serve.pages.runs import Runs
from mhc.serve.prediction.service import Predictions
from mhc.serve.security import Guard
from mhc.serve.settings import Settings
from mhc.serve.site import Site
from mhc.serve.static_files import static_file


def application(settings: Settings) -> Starlette:
    """Return the application with these settings."""
    site = Site.of(settings)
    predictions = Predictions.of(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        predictions.close()
        site.close()

    app = Starlette(
        routes=[*predictions.routes(), *routes_of(site, predictions)],
        middleware=[Middleware(Guard, settings, site.answers), Middleware(Explained, settings)],
        exception_handlers={HTTPException: http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirection would repeat the Host header, and the scheme without TLS
    app.state.settings = settings
    return app


def routes_of(site: Site, predictions: Predictions) -> list[Route]:
    """Return the addresses; an id in an address is looked up in the index, and is never a part of a path."""
    live, run = Live(site), Run(site)
    health = Health(site, live, predictions.metrics)
    return [
        Route("/", Runs(site).answer),
        Route("/runs/{run_id}", run.answer, name="run"),
        Route("/runs/{run_id}/figures/{name}.svg", run.figure),
        Route("/compare", Compare(site).answer),
        Route("/candidates", Candidates(site).answer),
        Route("/production", Production(site).answer),
        *(Route(f"/actions/{name}", Actions(site, name).answer, methods=["POST"]) for name in ACTIONS),
        Route("/live", live.answer),
        Route("/health", health.health),
        Route("/metrics", health.metrics),
        Route("/login", Login(site.settings).answer, methods=["GET", "POST"]),
        Route("/static/{name}", static_file),
    ]
