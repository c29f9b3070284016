"""Find damage in `outputs/` and in production, and how to repair it safely. Finding changes nothing."""

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
from mhc.production import verify
from mhc.record import ARCHIVES, RECORD_FILE, RunRecord, Status
from mhc.retention import purge
from mhc.runs import folders, liveness, store

STALE = 3600.0
"""Seconds after which a temporary file no longer belongs to a process."""


class Finding(NamedTuple):
    """One defect."""

    what: str
    """Kind of the defect, in a few words."""
    where: Path
    sentence: str
    fix: Callable[[], object] | None = None
    """Repairs the defect safely; None if the user must decide."""


def check(outputs: Path, policy: LivenessPolicy) -> list[Finding]:
    """Return all defects in `outputs`, sorted by kind."""
    records, findings = _records(outputs)
    findings += _without_record(outputs, policy)
    findings += _misplaced(records)
    findings += _lost(records, policy)
    findings += _links(outputs)
    findings += _temporary_files(outputs, [folder for folder, _ in folders.iter_runs(outputs)])
    findings += _trash(outputs)
    findings += _reproductions(outputs)
    return sorted(findings, key=lambda finding: (finding.what, finding.where))


def check_production(models: Path) -> list[Finding]:
    """Return the defects in production and the leftovers of killed promotions.

    Leftovers can be removed only if there is no defect: they may be evidence. Without any promotion there are no
    findings.
    """
    try:
        report = verify.check(models)
    except MhcError as problem:
        return [Finding("production", models, str(problem))]
    remove = None if report.wrong else partial(verify.fix, models)
    defects = [Finding("production", models, sentence) for sentence in report.wrong]
    return defects + [Finding("left in production", models, sentence, remove) for sentence in report.leftover]


def _records(outputs: Path) -> tuple[list[tuple[Path, RunRecord]], list[Finding]]:
    records, findings = [], []
    for folder, _ in folders.iter_runs(outputs):
        try:
            records.append((folder, store.read(folder)))
        except Unreadable as problem:
            findings.append(Finding("unreadable record", folder, f"{problem}. Nothing of it was changed"))
    return records, findings


def _without_record(outputs: Path, policy: LivenessPolicy) -> Iterator[Finding]:
    """Yield folders without a record, unless they are so new that a run may be creating its record."""
    for folder in folders.iter_without_record(outputs):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < policy.timeout:
                continue
            empty = not any(folder.iterdir())
            fix = partial(_rmdir, folder) if empty else None
            content = "is empty" if empty else "has files; check them, then remove the folder or restore the record"
            yield Finding("folder without record", folder, f"{folder} has no {RECORD_FILE} and {content}", fix)


def _rmdir(folder: Path) -> None:
    with suppress(OSError):  # not empty any more: a process uses it
        folder.rmdir()


def _misplaced(records: list[tuple[Path, RunRecord]]) -> Iterator[Finding]:
    by_id = defaultdict(list)
    for folder, record in records:
        by_id[record.id].append(folder)
    for run, places in by_id.items():
        if len(places) > 1:
            paths = ", ".join(str(place) for place in sorted(places))
            yield Finding("run twice", min(places), f"Run {run} is in {len(places)} folders: {paths}. Keep one")
        elif places[0].name != run:
            yield Finding("moved run", places[0], f"{places[0]} has the run {run}. Rename the folder to {run}")


def _lost(records: list[tuple[Path, RunRecord]], policy: LivenessPolicy) -> Iterator[Finding]:
    for folder, record in records:
        derived = liveness.with_derived_status(record, folder, policy)
        if record.status is Status.RUNNING and derived.status is Status.LOST:
            sentence = f"Run {record.id} has the status running, but {derived.status_reason}"
            fix = partial(liveness.persist, record, folder, policy, "doctor")
            yield Finding("lost run", folder, sentence, fix)


def _links(outputs: Path) -> Iterator[Finding]:
    for level in (outputs, *(outputs / name for name in ARCHIVES)):
        with suppress(OSError), os.scandir(level) as entries:
            for entry in entries:
                if entry.is_symlink():
                    path = Path(entry.path)
                    yield Finding("link", path, f"{path} is a link; runs behind links are ignored")


def _temporary_files(outputs: Path, runs: list[Path]) -> Iterator[Finding]:
    """Yield the temporary files of killed writers."""
    for folder in (outputs, *runs):
        with suppress(OSError):
            for path in (*folder.glob(f".{RECORD_FILE}.*"), *folder.glob(".clock.*")):
                if time.time() - path.lstat().st_mtime > STALE:
                    sentence = f"{path} was left by a writer that was killed"
                    yield Finding("temporary file", path, sentence, partial(path.unlink, missing_ok=True))


def _trash(outputs: Path) -> Iterator[Finding]:
    trash = outputs / purge.TRASH
    if trash.is_symlink() or not trash.is_dir():
        return
    for trashed in sorted(trash.iterdir()):
        sentence = f"{trashed} is a run whose deletion was interrupted"
        yield Finding("left in the trash", trashed, sentence, partial(_delete, trashed))


def _reproductions(outputs: Path) -> Iterator[Finding]:
    """Yield the folders in which `mhc reproduce --run` was training when it was killed."""
    for place in sorted(outputs.glob(f"{folders.REPRODUCING}*")):
        runs = [folder for folder, _ in folders.iter_runs(place)]
        if place.is_symlink() or time.time() - place.stat().st_mtime < STALE:
            continue
        content = f"has the run {runs[0].name}; move it to {outputs} or remove it" if runs else "has no run"
        fix = None if runs else partial(_delete, place)
        yield Finding("broken-off reproduction", place, f"{place} was left by mhc reproduce and {content}", fix)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
