"""One run: what its report shows, what its record has beside that, and what can be done with it."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mhc.analysis.overview import overview
from mhc.cli.details_sections import file_sizes
from mhc.errors import Unreadable
from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.record import RunRecord
from mhc.report import whole
from mhc.report.document import Document
from mhc.serve import pictures
from mhc.serve.pages import record
from mhc.serve.rendering import page
from mhc.serve.site import Site, row_of
from mhc.timestamps import now

KEPT = 8
"""Runs whose details are kept in memory."""
WHILE_RUNNING = 5
"""Seconds for which the details of a running run are kept."""


class Details(NamedTuple):
    """One run as the page shows it."""

    row: Row
    record: RunRecord
    document: Document
    files: list[tuple[str, int]]
    """Paths within its folder, and sizes."""
    drawn: dict[str, bytes]
    """Figures that were drawn, by name."""


class Run:
    """The page of a run, and its figures."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: OrderedDict[tuple[Row, int], Details] = OrderedDict()
        """Used in the slow thread only."""

    async def answer(self, request: Request) -> Response:
        """Show a run."""
        run_id = request.path_params["run_id"]
        details = await self._site.slow.read(lambda index: self._details(index, run_id))
        values = {
            "run": details.row,
            "record": details.record,
            "sections": [*details.document.sections, *record.sections(details.record, details.files)],
            "notices": details.document.notices[1:],
            "archived": details.row.location not in ("active", "production"),
        }
        return page(self._site.settings, "details.html.j2", values, title=details.row.id, here="/")

    async def figure(self, request: Request) -> Response:
        """Show a figure of the page."""
        run_id, name = request.path_params["run_id"], request.path_params["name"]
        drawn = await self._site.slow.read(lambda index: self._drawn(self._details(index, run_id), name))
        return Response(drawn, media_type="image/svg+xml", headers={"content-security-policy": pictures.POLICY})

    def _drawn(self, details: Details, name: str) -> bytes:
        figure = next((one for one in pictures.figures_of(details.document) if one.name == name), None)
        if figure is None:
            raise HTTPException(404, "The run has no such figure")
        if name not in details.drawn:
            details.drawn[name] = pictures.picture(figure)
        return details.drawn[name]

    def _details(self, index: Index, run_id: str) -> Details:
        """Return what is shown of a run, from memory if it has not changed.

        Raises:
            NotFound: if there is none with this id.
            Unreadable: if its record cannot be read.
        """
        row = row_of(index, run_id)
        if row.error:
            raise Unreadable(row.error)
        key = (row, int(time.monotonic() / WHILE_RUNNING) if row.shown == "running" else 0)
        if key not in self._kept:
            registry = self._site.context.registry()
            shown = overview(index, [row], registry, title=row.id, now=now(), whole_history=False)
            files = list(file_sizes(index.folder(row.path)))
            self._kept[key] = Details(row, shown.runs[0].record, whole.of_run(shown), files, {})
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]
