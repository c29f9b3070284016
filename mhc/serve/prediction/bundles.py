"""The bundles that are served: loaded once, a few at a time, and the ledger read again when it has changed.

Nothing is locked: a ledger is only appended to, and a bundle never changes.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mhc import files
from mhc.errors import NotFound
from mhc.facts import DataFacts
from mhc.hardware import reuse_memory
from mhc.inference.predictor import Predictor
from mhc.production import bundle as folders
from mhc.production import ledger, loading, state
from mhc.production.decision import PromotionRecord, Scores
from mhc.production.state import Bundle, State
from mhc.record import RECORD_FILE
from mhc.runs import store
from mhc.serve.prediction.batches import Batches, BatchLimits

Key = tuple[str, str]
"""Name of a bundle, and the sha256 of its checksums: those change if texts are removed from its documents."""

KEPT = 3
"""Bundles in memory; the one that was not used for longest makes room."""
FRESH = 1.0
"""Seconds for which the ledger is not looked at again."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """A bundle in memory."""

    bundle: Bundle
    predictor: Predictor
    batches: Batches
    data: DataFacts | None
    """Of the run that trained it."""
    scores: Scores | None
    """Measured on its test split when it was promoted."""


class Bundles:
    """The bundles of a models folder.

    Args:
        models: the folder.
        precision: fp32, bf16 or auto, as of `mhc.predict`.
        device: auto, cpu, cuda or mps.
        limits: of the queue of each bundle.
        kept: bundles in memory.
    """

    def __init__(
        self,
        models: Path,
        *,
        precision: str = "auto",
        device: str = "auto",
        limits: BatchLimits | None = None,
        kept: int = KEPT,
    ) -> None:
        self._models, self._precision, self._device = models, precision, device
        self._limits, self._kept = limits, kept
        self.computing = ThreadPoolExecutor(1, "mhc-predict")
        """The thread in which all models compute, one batch after another."""
        self._loading = ThreadPoolExecutor(1, "mhc-load")
        self._served: OrderedDict[Key, Served] = OrderedDict()
        self._loads: dict[Key, Future[Served]] = {}
        self._state: State | None = None
        self._signature: object = None
        self._looked = float("-inf")

    async def get(self, name: str, task: str | None = None) -> Served:
        """Return a bundle by its name or alias; load it if it is not in memory.

        Raises:
            NotFound: if there is none.
            Unreadable: if it or the ledger is damaged.
        """
        production = await self.state()
        bundle = state.resolve(production, checked(name), checked_task(production, task))
        key = (bundle.name, bundle.checksums)
        if key not in self._served:
            self._keep(key, await self._loaded(key, bundle))
        self._served.move_to_end(key)
        return self._served[key]

    async def _loaded(self, key: Key, bundle: Bundle) -> Served:
        """Load a bundle, or wait until the request that loads it has done so."""
        if key not in self._loads:
            self._loads[key] = self._loading.submit(self._load, bundle)
        load = self._loads[key]
        try:
            return await asyncio.shield(asyncio.wrap_future(load))
        finally:
            if load.done():
                self._loads.pop(key, None)

    def _keep(self, key: Key, served: Served) -> None:
        self._served.setdefault(key, served)
        while len(self._served) > self._kept:
            self._served.popitem(last=False)

    async def state(self) -> State:
        """Return the state of production, at most a second old.

        Raises:
            Unreadable: if the ledger is damaged.
        """
        if self._state is None or time.monotonic() - self._looked > FRESH:
            return await asyncio.to_thread(self._read)
        return self._state

    def all_served(self) -> Sequence[Served]:
        """Return the bundles in memory."""
        return list(self._served.values())

    def close(self) -> None:
        """End the threads after what they compute."""
        for thread in (self.computing, self._loading):
            thread.shutdown(wait=False, cancel_futures=True)

    def _read(self) -> State:
        signature = signature_of(self._models / ledger.FILE)
        if self._state is None or signature != self._signature:
            self._state = state.fold(ledger.verified_entries(self._models))
            self._signature = signature
        self._looked = time.monotonic()
        return self._state

    def _load(self, bundle: Bundle) -> Served:
        reuse_memory()
        folder = folders.folder_of(self._models, bundle.name)
        loaded = loading.from_bundle(folder, bundle.checksums)
        predictor = Predictor(loaded, precision=self._precision, device=self._device)
        return Served(
            bundle=bundle,
            predictor=predictor,
            batches=Batches(predictor.predict, self.computing, self._limits),
            data=store.read(folder).data if (folder / RECORD_FILE).is_file() else None,
            scores=scores_of(folder / folders.PROMOTION),
        )


def scores_of(path: Path) -> Scores | None:
    """Return what was measured when a bundle was promoted; None if its folder has no decision.

    Raises:
        Unreadable: if the decision is damaged.
    """
    if not path.is_file():
        return None
    with files.reading(path):
        return msgspec.json.decode(files.read(path), type=PromotionRecord).scores


def checked(name: str) -> str:
    """Return the name of a bundle or an alias; nothing else, such as a path or a text, is looked up or repeated.

    Raises:
        NotFound: if it cannot be one.
    """
    if not folders.NAME.fullmatch(name) or ".." in name:
        raise NotFound("There is no such bundle and no such alias. Names have a-z, 0-9, '.', '_' and '-' only")
    return name


def checked_task(production: State, task: str | None) -> str | None:
    """Return the name or id of a task; an unknown one is not repeated, because it could be a text.

    Raises:
        NotFound: if there is none.
    """
    names = production.tasks
    if task is not None and task not in names and task not in names.values():
        raise NotFound(f"There is no such task. There are: {', '.join(names.values()) or 'none'}")
    return task


def signature_of(path: Path) -> object:
    """Return what changes if a file is written or replaced; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
