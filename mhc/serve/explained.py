"""Errors as answers: a sentence for what a user can mend, a report of places for a bug. No value gets into a log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mhc import errors
from mhc.analysis.overview import private
from mhc.serve.refusals import refusal
from mhc.serve.settings import Settings
from mhc.terminal import report

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("mhc.serve")

STATUSES: dict[type[errors.MhcError], int] = {
    errors.BadInput: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Refused: 422,
}
"""Of the answer to an error; all others are 500."""
BUG = "This is a bug in mhc. The terminal of mhc serve has the report to paste into an issue"


class Explained:
    """Answer with a sentence if a page raises an error."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; an answer that has begun is cut off if it fails."""
        begun = False

        async def noted(part: Message) -> None:
            nonlocal begun
            begun = True
            await send(part)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            return
        except Exception as error:
            answer = explanation(self._settings, scope["path"], error)
            if not begun:
                await answer(scope, receive, send)


def explanation(settings: Settings, path: str, error: Exception) -> Response:
    """Return the answer to an error, and log a bug by its places."""
    sentence = errors.sentence_of(error)
    if sentence is None:
        log.error("%s", report(error))
        return refusal(settings, path, 500, BUG, title="A bug")
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
    return refusal(settings, path, status, private(sentence))


async def http_error(request: Request, error: Exception) -> Response:
    """Answer to what the router or a form refuses."""
    assert isinstance(error, HTTPException)
    settings: Settings = request.app.state.settings
    methods = (error.headers or {}).get("Allow", "other methods")
    sentences = {404: "There is no such page", 405: f"This address is for {methods} only"}
    sentence = sentences.get(error.status_code, error.detail)
    return refusal(settings, request.scope["path"], error.status_code, sentence, error.headers or {})
