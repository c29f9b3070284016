"""Bring the tables of the index up to date with the folders, and derive the status of runs that may have died."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mhc.index import connection
from mhc.index.scan import stable_scan

if TYPE_CHECKING:
    from mhc.index.update import Progress
    from mhc.policy import LivenessPolicy

LivenessLoader = Callable[[], "LivenessPolicy"]
"""Returns the policy; called only if the record of a run says `running`."""


def refresh(database: sqlite3.Connection, outputs: Path, models: Path, progress: Progress) -> None:
    """Read every `run.json` that changed since the last refresh, and remove the runs that have disappeared."""
    started = time.time_ns()
    stored: dict[str, str] = dict(database.execute("SELECT path, stamp FROM files"))
    stamps = stable_scan(outputs, models, stored)
    if stamps == stored:
        return
    from mhc.index.update import update

    update(database, outputs, stamps, stored, started, progress)


def derive_statuses(database: sqlite3.Connection, outputs: Path, liveness: LivenessLoader) -> None:
    """Store the status to show for every run whose record says `running`."""
    running = database.execute(
        "SELECT path, shown, reason, json FROM runs JOIN records USING (path) WHERE status = 'running'"
    ).fetchall()
    if not running:
        return
    from mhc.runs import store
    from mhc.runs.liveness import with_derived_status

    policy = liveness()
    changes = []
    for path, shown, reason, content in running:
        folder = outputs / path
        derived = with_derived_status(store.decode(content, folder), folder, policy)
        if (derived.status.value, derived.status_reason) != (shown, reason):
            changes.append((derived.status.value, derived.status_reason, path))
    if changes:
        with connection.transaction(database):
            database.executemany("UPDATE runs SET shown = ?, reason = ? WHERE path = ?", changes)
