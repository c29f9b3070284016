"""Plan and perform the cleanup of `outputs/`: move the runs that the policy archives."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from mhc import disk, files
from mhc.errors import Conflict, MhcError, Unreadable
from mhc.policy import ArchivingRule, LivenessPolicy, Policy
from mhc.record import RECORD_FILE, RunRecord, Status
from mhc.retention.rules import ActiveRun, Due, due_for_archive, protection, rules_of
from mhc.runs import folders, liveness, move_log, store

log = logging.getLogger("mhc.runs")


class PlannedAction(NamedTuple):
    """A run, and what the cleanup does with it."""

    run: ActiveRun
    due: Due | None
    """None: it is not archived."""
    why: str

    @property
    def to(self) -> str:
        """Name of the archive, or `stays`."""
        return self.due.to.value if self.due else "stays"


class RecordHead(msgspec.Struct, frozen=True):
    """The fields that decide whether a rule can match a run; decoding them takes a tenth of the time of a record."""

    status: str
    category: str | None = None


_head = msgspec.json.Decoder(RecordHead)


class _Source(msgspec.Struct):
    """The id in the record of a bundle."""

    id: str


def clean(outputs: Path, models: Path, policy: Policy, *, now: datetime, by: str, current: str | None) -> list[Due]:
    """Archive the runs that are due under `policy`, and return those that were moved."""
    rules = rules_of(policy.archiving)
    runs = active_runs(outputs, policy.liveness, sizes=_by_size(rules), matches=partial(may_match, rules))
    due = due_for_archive(runs, policy.archiving, now, current=current, in_production=bundled_runs(models))
    return carry_out(due, outputs, policy.liveness, now=now, by=by)


def plan(outputs: Path, models: Path, policy: Policy, *, now: datetime) -> list[PlannedAction]:
    """Return what the cleanup would do with every run outside the archives, oldest first."""
    runs = active_runs(outputs, policy.liveness, sizes=_by_size(rules_of(policy.archiving)))
    promoted = bundled_runs(models)
    due = {item.folder: item for item in due_for_archive(runs, policy.archiving, now, in_production=promoted)}
    actions = []
    for run in sorted(runs, key=lambda run: (run.record.created_at, run.record.id)):
        item = due.get(run.folder)
        reason = item.reason if item else protection(run.record, in_production=promoted)
        actions.append(PlannedAction(run, item, reason or "no rule of the policy matches it"))
    return actions


def with_keep(policy: Policy, keep: int | None) -> Policy:
    """Return the policy with another number of debug runs to keep; None returns it unchanged."""
    if keep is None:
        return policy
    return replace(policy, archiving=replace(policy.archiving, keep_debug=keep))


def may_match(rules: Sequence[ArchivingRule], head: RecordHead) -> bool:
    """Return whether a rule can match such a run; one with the status running may turn out to be lost."""
    return head.status == Status.RUNNING or any(
        (rule.category is None or rule.category == head.category)
        and (not rule.statuses or head.status in rule.statuses)
        for rule in rules
    )


def _by_size(rules: Sequence[ArchivingRule]) -> bool:
    return any(rule.larger_than_mb is not None for rule in rules)


def active_runs(
    outputs: Path,
    policy: LivenessPolicy,
    *,
    sizes: bool = False,
    matches: Callable[[RecordHead], bool] = lambda head: True,
) -> list[ActiveRun]:
    """Return the runs outside the archives with their derived status, without those whose record cannot be read.

    Args:
        outputs: the folder of the runs.
        policy: decides when a run counts as lost.
        sizes: measure the size of each folder.
        matches: filter that is applied before a record is decoded as a whole.
    """
    runs = []
    for folder, _ in folders.iter_runs(outputs, archives=False):
        try:
            with files.reading(f"The record of {folder}"):
                content = files.read(folder / RECORD_FILE)
                head = _head.decode(content)
            if not matches(head):
                continue
            record = liveness.with_derived_status(store.decode(content, folder), folder, policy)
        except (Unreadable, FileNotFoundError) as problem:
            log.debug("Skipped: %s: %s", folder, problem)
            continue
        runs.append(ActiveRun(folder, record, size_of(folder) if sizes else None))
    return runs


def size_of(folder: Path) -> int:
    """Return the bytes of all files in `folder`."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{root}/{name}").st_size
            except OSError:
                continue
    return total


def bundled_runs(models: Path) -> frozenset[str]:
    """Return the ids of the runs that the bundles in `models`/production came from."""
    ids = set()
    for path in models.glob(f"production/*/{RECORD_FILE}"):
        try:
            with files.reading(path):
                ids.add(msgspec.json.decode(files.read(path), type=_Source).id)
        except (Unreadable, FileNotFoundError) as problem:
            log.warning("%s, so the run that the bundle came from is unknown", problem)
    return frozenset(ids)


def carry_out(due: Iterable[Due], outputs: Path, policy: LivenessPolicy, *, now: datetime, by: str) -> list[Due]:
    """Archive each run that has not changed since the decision, and return those that were moved.

    A run that another process moved, resumed, pinned or changed meanwhile is skipped.
    """
    return [item for item in due if archive(item, outputs, policy, now=now, by=by)]


def archive(due: Due, outputs: Path, policy: LivenessPolicy, *, now: datetime, by: str) -> bool:
    """Move one run to its archive as `move` does; return False, and log why, if it was not moved."""
    try:
        move(due, outputs, policy, now=now, by=by)
    except MhcError as problem:
        level = logging.WARNING if isinstance(problem.__cause__, OSError) else logging.INFO  # INFO: a lost race
        log.log(level, "Run %s was not archived: %s", due.record.id, problem)
        return False
    return True


def move(due: Due, outputs: Path, policy: LivenessPolicy, *, now: datetime, by: str) -> None:
    """Move one run to its archive.

    Raises:
        MhcError: if another process moved or changed it before, or its record or folder cannot be written.
    """
    before = store.read(due.folder)
    _check_revision(before, due.record.revision)
    after = liveness.persist(before, due.folder, policy, by)  # stores the status lost if it was only derived
    if after.status is not due.record.status:
        raise Conflict(f"it is {after.status.value} now, not {due.record.status.value}")
    folders.archive(
        due.folder, outputs, due.to, check=lambda folder: _check_revision(store.read(folder), after.revision)
    )
    log.info("Run %s archived to %s: %s", due.record.id, due.to.value, due.reason)
    log_move(outputs, due.record.id, "archived", f"to {due.to.value}: {due.reason}", now=now, by=by)


def _check_revision(record: RunRecord, revision: int) -> None:
    if record.revision != revision:
        raise Conflict("its record has changed meanwhile")


def log_move(outputs: Path, run: str, what: str, why: str, *, now: datetime, by: str) -> None:
    """Add a line to the log of moves, or log that it is missing: the move itself is done."""
    try:
        move_log.add(outputs, run=run, what=what, by=by, why=why, now=now)
    except OSError as problem:
        reason = disk.reason(problem, outputs)
        log.warning("The move of run %s is missing in %s: %s", run, move_log.FILE, reason)
