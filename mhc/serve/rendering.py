"""Pages from templates. Every value is escaped, and cut and cleaned as on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import HTMLResponse

from mhc.report.formats import templates
from mhc.serve.settings import Settings
from mhc.terminal import clean_lines

if TYPE_CHECKING:
    from jinja2 import Environment

NOTICE = (
    "Research software: no model and no probability shown here may be used to diagnose, screen, triage or treat a "
    "person."
)
"""On every page."""
NAVIGATION = {"/": "Runs", "/candidates": "Candidates", "/production": "Production", "/try": "Try a text"}
NOTHING: Mapping[str, object] = MappingProxyType({})
MAX_CELL = 4_000
"""Characters of a cell."""


def page(
    settings: Settings,
    template: str,
    values: Mapping[str, object] = NOTHING,
    *,
    title: str,
    here: str = "",
    status: int = 200,
) -> HTMLResponse:
    """Return the page that a template makes of the values.

    Args:
        settings: of the server.
        template: its file in `mhc/serve/templates`, which extends `base.html.j2`.
        values: what the template shows.
        title: the heading of the page.
        here: the entry of `NAVIGATION` to which it belongs.
        status: of the answer.
    """
    shared = {"notice": NOTICE, "navigation": NAVIGATION, "form_key": settings.form_key, "title": title, "here": here}
    return HTMLResponse(_environment().get_template(template).render({**shared, **values}), status)


def message(settings: Settings, text: str, status: int = 200, *, title: str, back: str = "/") -> HTMLResponse:
    """Return a page with a sentence; its further lines, such as the gates that were not passed, are a list.

    A line that is indented by more than two blanks belongs to the line before it.
    """
    sentence, *lines = [line for line in clean_lines(text).splitlines() if line.strip()] or [""]
    items: list[list[str]] = []
    for line in lines:
        if items and line.startswith("   "):
            items[-1].append(line.strip())
        else:
            items.append([line.strip()])
    values = {"sentence": sentence.strip(), "items": items, "back": back, "ok": status < 400}
    return page(settings, "message.html.j2", values, title=title, status=status)


@cache
def _environment() -> Environment:
    environment = templates.environment("mhc.serve", MAX_CELL)
    environment.filters.update(clean_lines=clean_lines, segment=_segment)
    return environment


def _segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")
