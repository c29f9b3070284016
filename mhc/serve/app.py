"""The server as an ASGI application: the guard, the pages, the threads behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from mhc.serve.explained import Explained, http_error
from mhc.serve.login import Login
from mhc.serve.security import Guard
from mhc.serve.settings import Settings
from mhc.serve.site import Site
from mhc.serve.static_files import static_file


def application(settings: Settings) -> Starlette:
    """Return the application with these settings."""
    site = Site.of(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        site.close()

    app = Starlette(
        routes=[
            Route("/login", Login(settings).answer, methods=["GET", "POST"]),
            Route("/static/{name}", static_file),
        ],
        middleware=[Middleware(Guard, settings, site.answers), Middleware(Explained, settings)],
        exception_handlers={HTTPException: http_error},
        lifespan=lifespan,
    )
    app.state.settings = settings
    return app
