"""Find damaged runs and damaged production, and how each can safely be repaired. Finding changes nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mhc.errors import MhcError, Unreadable
from mhc.policy import LivenessPolicy
from mhc.production import ledger, snapshot, verify
from mhc.record import ARCHIVES, RunRecord, Status
from mhc.retention import purge
from mhc.runs import folders, liveness, store

STALE = 3600.0
"""Seconds after which a temporary file is nobody's any more."""


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    what: str
    """A few words, the same for all of its kind."""
    where: Path
    sentence: str
    mend: Callable[[], object] | None = None
    """Does what is safe; None where a person must decide."""


def check(outputs: Path, policy: LivenessPolicy) -> list[Finding]:
    """Everything found in `outputs`, by kind."""
    records, found = _records(outputs)
    found += _claimed(outputs, policy)
    found += _misplaced(records)
    found += _lost(records, policy)
    found += _links(outputs)
    found += _drafts(outputs, [folder for folder, _ in folders.walk(outputs)])
    found += _trash(outputs)
    found += _broken_off(outputs)
    return sorted(found, key=lambda finding: (finding.what, finding.where))


def _records(outputs: Path) -> tuple[list[tuple[Path, RunRecord]], list[Finding]]:
    records, found = [], []
    for folder, _ in folders.walk(outputs):
        try:
            records.append((folder, store.read(folder)))
        except Unreadable as problem:
            found.append(Finding("unreadable record", folder, f"{problem}. Nothing of it was changed"))
    return records, found


def _claimed(outputs: Path, policy: LivenessPolicy) -> Iterator[Finding]:
    """Claimed folders without a record, but for those that a run may be claiming now."""
    for folder in folders.without_record(outputs):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < policy.timeout:
                continue
            empty = not any(folder.iterdir())
            mend = partial(_rmdir, folder) if empty else None
            held = "is empty" if empty else "holds files; look at them, then remove the folder or bring run.json back"
            yield Finding("folder without record", folder, f"{folder} has no run.json and {held}", mend)


def _rmdir(folder: Path) -> None:
    with suppress(OSError):  # it is no longer empty: somebody uses it
        folder.rmdir()


def _misplaced(records: list[tuple[Path, RunRecord]]) -> Iterator[Finding]:
    by_id = defaultdict(list)
    for folder, record in records:
        by_id[record.id].append(folder)
    for run, places in by_id.items():
        if len(places) > 1:
            listed = ", ".join(str(place) for place in sorted(places))
            yield Finding("run twice", min(places), f"Run {run} is in {len(places)} folders: {listed}. Keep one")
        elif places[0].name != run:
            yield Finding("moved run", places[0], f"{places[0]} holds the run {run}. Rename the folder to {run}")


def _lost(records: list[tuple[Path, RunRecord]], policy: LivenessPolicy) -> Iterator[Finding]:
    for folder, record in records:
        shown = liveness.derived(record, folder, policy)
        if record.status is Status.RUNNING and shown.status is Status.LOST:
            sentence = f"Run {record.id} says running, but {shown.status_reason}"
            mend = partial(liveness.persist, record, folder, policy, "doctor")
            yield Finding("lost run", folder, sentence, mend)


def _links(outputs: Path) -> Iterator[Finding]:
    for level in (outputs, *(outputs / name for name in ARCHIVES)):
        with suppress(OSError), os.scandir(level) as entries:
            for entry in entries:
                if entry.is_symlink():
                    path = Path(entry.path)
                    yield Finding("link", path, f"{path} is a link; nothing behind it is seen as a run")


def _drafts(outputs: Path, runs: list[Path]) -> Iterator[Finding]:
    """Temporary files that a killed writer left."""
    for folder in (outputs, *runs):
        with suppress(OSError):
            for path in (*folder.glob(f".{store.RECORD}.*"), *folder.glob(".clock.*")):
                if time.time() - path.lstat().st_mtime > STALE:
                    sentence = f"{path} was left by a writer that was killed"
                    yield Finding("temporary file", path, sentence, partial(path.unlink, missing_ok=True))


def _trash(outputs: Path) -> Iterator[Finding]:
    trash = outputs / purge.TRASH
    if trash.is_symlink() or not trash.is_dir():
        return
    for grave in sorted(trash.iterdir()):
        sentence = f"{grave} is a run whose deletion was broken off"
        yield Finding("left in the trash", grave, sentence, partial(_bury, grave))


def _broken_off(outputs: Path) -> Iterator[Finding]:
    """Folders in which `mhc reproduce --run` trained when it was killed."""
    for place in sorted(outputs.glob(f"{folders.REPRODUCING}*")):
        made = [folder for folder, _ in folders.walk(place)]
        if place.is_symlink() or time.time() - place.stat().st_mtime < STALE:
            continue
        held = f"holds {made[0].name}; move it to {outputs} or remove it" if made else "holds no run"
        mend = None if made else partial(_bury, place)
        yield Finding("broken-off reproduction", place, f"{place} was left by mhc reproduce and {held}", mend)


def _bury(grave: Path) -> None:
    if grave.is_dir() and not grave.is_symlink():
        shutil.rmtree(grave)
    else:
        grave.unlink(missing_ok=True)


def check_production(models: Path) -> list[Finding]:
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
