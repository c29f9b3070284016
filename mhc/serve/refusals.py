"""The answer to a request that is refused or has failed: a page, or JSON if it asks for predictions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

import msgspec
from starlette.responses import Response

from mhc.serve.rendering import message
from mhc.serve.settings import Settings, is_for_programs

TITLES = {
    400: "It cannot be done",
    401: "Not logged in",
    403: "Refused",
    404: "Not found",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    421: "Another server",
    422: "Refused",
    429: "Too many requests",
    431: "Too large",
    500: "It has failed",
    503: "Busy",
}
"""Of the pages, by the status of the answer."""
BACK = {401: "/login"}
"""Where the link of such a page leads, if not to the runs."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request that was refused; it has no part of the request's texts."""

    error: Annotated[str, msgspec.Meta(description="what is wrong, and what to do next")]


def problem(status: int, sentence: str, headers: Mapping[str, str] = NOTHING) -> Response:
    """Return a sentence as JSON, for other programs."""
    return Response(msgspec.json.encode(Problem(error=sentence)), status, headers, "application/json")


def refusal(
    settings: Settings, path: str, status: int, sentence: str, headers: Mapping[str, str] = NOTHING, title: str = ""
) -> Response:
    """Return a sentence in the format of what the path leads to.

    Args:
        settings: of the server.
        path: of the request.
        status: of the answer.
        sentence: what is wrong, and what to do next.
        headers: of the answer.
        title: of the page, if that of the status does not fit.
    """
    if is_for_programs(path):
        return problem(status, sentence, headers)
    answer = message(
        settings, sentence, status, title=title or TITLES.get(status, "Not answered"), back=BACK.get(status, "/")
    )
    answer.headers.update(headers)
    return answer
