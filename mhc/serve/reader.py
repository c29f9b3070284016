"""One thread that reads the runs for the pages: it keeps the index open, and brings it up to date when it is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from mhc.cli.context import Context
from mhc.index.index import Index

T = TypeVar("T")

FRESH = 1.0
"""Seconds for which an index is up to date."""
SHARE = 4.0
"""An index is up to date for this many times the time that it took to bring it there, if that is longer."""


class Reader:
    """Run functions of the index one after another in a thread of its own, because SQLite stays in its thread."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"mhc-{name}")
        self._index: Index | None = None
        self._until = 0.0
        self._expired = False

    async def read(self, task: Callable[[Index], T]) -> T:
        """Return the result of `task`, which receives the index."""
        return await self.call(partial(self._with_index, task))

    async def call(self, task: Callable[[], T]) -> T:
        """Return the result of `task`, which runs in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, task)

    def expire(self) -> None:
        """Bring the index up to date before the next task, because a run was changed."""
        self._expired = True

    def close(self) -> None:
        """End the thread after its current task."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _with_index(self, task: Callable[[Index], T]) -> T:
        started = time.monotonic()
        if self._index is None or self._expired or started >= self._until:
            self._expired = False
            self._index = Index(self._context.outputs, self._context.models, self._context.liveness)
            now = time.monotonic()
            self._until = now + max(FRESH, SHARE * (now - started))
        return task(self._index)
