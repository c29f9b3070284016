"""The fields of a form that a page has sent."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from mhc.serve.security import same
from mhc.serve.settings import Settings

MAX_FIELDS = 200
FORM_KEY = "form_key"
"""The hidden field of every form that changes something."""


async def fields_of(request: Request) -> dict[str, list[str]]:
    """Return the values of each field, in the order of the form.

    Raises:
        HTTPException: if the body is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "The body is not a form (application/x-www-form-urlencoded)")
    try:
        pairs = parse_qsl(
            (await request.body()).decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:
        raise HTTPException(400, "The form is damaged") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def require_key(fields: dict[str, list[str]], settings: Settings) -> None:
    """Check that the form came from a page of this server.

    Raises:
        HTTPException: if its key is missing or of an earlier start.
    """
    if not same(first(fields, FORM_KEY), settings.form_key):
        raise HTTPException(403, "The form is not from a page of this server, or the server was restarted. Reload it")


def first(fields: dict[str, list[str]], name: str) -> str:
    """Return the first value of a field, without blanks at its ends; an empty text without one."""
    return next(iter(fields.get(name, [])), "").replace("\r\n", "\n").strip()
