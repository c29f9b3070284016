"""Ask production whether its ledger, its snapshot and its bundles are whole: for `mhc doctor` and `mhc rebuild`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mhc.errors import Unreadable
from mhc.production import ledger, state
from mhc.runs import atomic
from mhc.runs.checkup import Finding

REGISTRY = "registry.json"


def check(models: Path) -> list[Finding]:
    """What is wrong with the ledger, and with the snapshot that is made of it; nothing where neither is there."""
    path = models / ledger.FILE
    try:
        book = ledger.read(models)
    except Unreadable as problem:
        return [Finding("ledger", path, str(problem))]
    if book.flaw:
        return [Finding("ledger", path, f"{path} was changed: {book.flaw}. See what else with: mhc verify")]
    found = []
    if book.torn:
        sentence = f"{path} ends in a torn line, never completed; the next change of production puts it away"
        found.append(Finding("torn ledger line", path, sentence))
    snapshot = models / REGISTRY
    if book.entries and (not snapshot.is_file() or snapshot.read_bytes() != state.snapshot(book.entries)):
        sentence = f"{snapshot} is not what the ledger says"
        found.append(Finding("stale snapshot", snapshot, sentence, partial(rebuild_registry, models)))
    return found


def rebuild_registry(models: Path) -> int:
    """Make `registry.json` from the ledger, and return the number of its entries; without a ledger nothing is made.

    Raises:
        Unreadable: the ledger's chain is broken.
    """
    entries = ledger.believed(models)
    if entries:
        atomic.write(models / REGISTRY, state.snapshot(entries))
    return len(entries)
