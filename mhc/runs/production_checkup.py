"""Ask production whether its ledger, its snapshot and its bundles are whole: for `mhc doctor` and `mhc rebuild`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mhc.errors import MhcError
from mhc.production import ledger, snapshot, verify
from mhc.runs.checkup import Finding


def check(models: Path) -> list[Finding]:
    """What is wrong in production, and what a killed promotion left; nothing where nothing was ever promoted.

    What is left over is cleared only where nothing is wrong: it may be evidence.
    """
    try:
        report = verify.check(models)
    except MhcError as problem:
        return [Finding("production", models, str(problem))]
    clear = None if report.wrong else partial(verify.fix, models)
    wrong = [Finding("production", models, sentence) for sentence in report.wrong]
    return wrong + [Finding("left in production", models, sentence, clear) for sentence in report.leftover]


def rebuild_registry(models: Path) -> int:
    """Make `registry.json` from the ledger, and return the number of its entries; without a ledger nothing is made.

    Raises:
        Unreadable: the ledger's chain is broken.
    """
    entries = ledger.believed(models)
    if entries:
        snapshot.rebuild(models)
    return len(entries)
