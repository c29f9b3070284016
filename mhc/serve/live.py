"""The running runs, pushed to open pages as server-sent events: one reader for all of them, none without a page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mhc.index.index import Index
from mhc.index.records import duration_of
from mhc.index.rows import Row
from mhc.report.formatting import format_duration
from mhc.report.progress_line import read_progress, time_left
from mhc.report.tables import MISSING, score
from mhc.serve.site import Site
from mhc.terminal import clean, report
from mhc.timestamps import now

log = logging.getLogger("mhc.serve")

INTERVAL = 1.0
"""Seconds between two looks at the runs."""
SHARE = 5.0
"""At least this many times the time that a look takes lies between two of them."""
QUIET = 15.0
"""Seconds after which a page without news is told that the server is there."""
MAX_SHOWN = 100
"""Running runs that are shown."""


class Progress(NamedTuple):
    """What a page shows of a run that is running or has just ended."""

    id: str
    status: str
    took: str
    epoch: str
    share: float
    """Of the epochs that are done."""
    left: str
    facts: str


class News(NamedTuple):
    """What is sent."""

    running: list[Progress]
    ended: list[Progress]
    """Runs that were running at the last look."""
    total: int
    """Number of all runs: if it grows, a page is out of date."""


def progress_of(index: Index, row: Row, now: datetime) -> Progress:
    """Return what is shown of a run; only its progress line is read from its folder."""
    if row.shown != "running":
        facts = f"macro-F1 val {score(row.val_f1_macro)}, test {score(row.f1_macro)}"
        facts = row.reason if row.val_f1_macro is None and row.f1_macro is None else facts
        took = format_duration(row.duration)
        return Progress(row.id, row.shown, took, MISSING, 1.0, MISSING, clean(facts))
    progress = read_progress(index.folder(row.path))
    start = row.created if row.started is None else row.started
    started = datetime.fromtimestamp(start, UTC) if start is not None else now
    took = format_duration(duration_of(row, now))
    if progress is None:
        return Progress(row.id, row.shown, took, MISSING, 0.0, MISSING, "first epoch")
    return Progress(
        id=row.id,
        status=row.shown,
        took=took,
        epoch=f"{progress.done}/{progress.total}",
        share=round(progress.done / max(1, progress.total), 3),
        left=format_duration(time_left(progress, started, now)),
        facts=clean(progress.facts),
    )


class Live:
    """Send news to all open pages."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages: set[asyncio.Queue[bytes]] = set()
        self._task: asyncio.Task[None] | None = None
        self._paths: list[str] = []
        self._last = b""

    @property
    def pages(self) -> int:
        """Number of open pages."""
        return len(self._pages)

    async def answer(self, request: Request) -> Response:
        """Open a stream of events."""
        if len(self._pages) >= self._site.settings.limits.streams:
            raise HTTPException(503, "Too many pages are open; close one and reload", {"retry-after": "30"})
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        page: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
        if self._last:
            page.put_nowait(self._last)
        self._pages.add(page)  # here, because a stream that is never read does not come to its end
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._watch())
            yield b"retry: 3000\n\n"
            while True:
                try:
                    yield await asyncio.wait_for(page.get(), QUIET)
                except TimeoutError:
                    yield b": nothing new\n\n"
        finally:
            self._pages.discard(page)

    async def _watch(self) -> None:
        """Look at the runs as long as a page is open; news that a slow page has not taken are replaced."""
        loop = asyncio.get_running_loop()
        while self._pages:
            started = loop.time()
            try:
                event = await self._site.quick.read(self._look)
            except Exception as error:
                log.error("%s", report(error))
                event = self._last
            if event != self._last:
                self._last = event
                for page in self._pages:
                    with suppress(asyncio.QueueEmpty):
                        page.get_nowait()
                    page.put_nowait(event)
            await asyncio.sleep(max(INTERVAL, SHARE * (loop.time() - started)))
        self._last, self._paths = b"", []

    def _look(self, index: Index) -> bytes:
        """Return the event; it ends with what has ended since the last one."""
        running = index.running()[:MAX_SHOWN]
        paths = [row.path for row in running]
        gone = [path for path in self._paths if path not in paths]
        ended = [row for row in index.at_paths(gone) if row.shown != "running"] if gone else []
        self._paths = paths
        at = now()
        news = News(
            [progress_of(index, row, at) for row in running],
            [progress_of(index, row, at) for row in ended],
            index.counts().total,
        )
        named = {"running": [run._asdict() for run in news.running], "ended": [run._asdict() for run in news.ended]}
        return b"data: " + msgspec.json.encode({**named, "total": news.total}) + b"\n\n"
