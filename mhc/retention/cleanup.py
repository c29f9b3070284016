"""Read the runs in `outputs/`, plan what the policy archives, and move the runs that are due to their archives."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from mhc.errors import Conflict, MhcError, Unreadable
from mhc.policy import ArchivingRule, LivenessPolicy, Policy
from mhc.record import RunRecord, Status
from mhc.retention.rules import Due, Placed, due_for_archive, protection, rules_of
from mhc.runs import folders, liveness, move_log, store

log = logging.getLogger("mhc.runs")


def clean(outputs: Path, models: Path, policy: Policy, *, now: datetime, by: str, current: str | None) -> list[Due]:
    """Archive what is due under `policy`, and return what was moved."""
    rules = rules_of(policy.archiving)
    sizes = any(rule.larger_than_mb is not None for rule in rules)
    runs = placed(outputs, policy.liveness, sizes=sizes, of_interest=partial(of_interest, rules))
    due = due_for_archive(runs, policy.archiving, now, current=current, in_production=bundled_runs(models))
    return carry_out(due, outputs, policy.liveness, now=now, by=by)


class Glance(msgspec.Struct, frozen=True):
    """What of a record tells whether a rule could ever speak of it; a tenth of the time that the whole takes."""

    status: str
    category: str | None = None


_glance = msgspec.json.Decoder(Glance)


def of_interest(rules: Sequence[ArchivingRule], glance: Glance) -> bool:
    """Tell whether one of `rules` speaks of such runs; one that says it is running may turn out to be lost."""
    return glance.status == Status.RUNNING or any(
        (rule.category is None or rule.category == glance.category)
        and (not rule.statuses or glance.status in rule.statuses)
        for rule in rules
    )


def placed(
    outputs: Path,
    policy: LivenessPolicy,
    *,
    sizes: bool = False,
    of_interest: Callable[[Glance], bool] = lambda glance: True,
) -> list[Placed]:
    """Return the runs outside the archives that are of interest, with derived status; with sizes if asked.

    Runs whose record cannot be read are left out.
    """
    runs = []
    for folder, _ in folders.walk(outputs, archives=False):
        try:
            content = (folder / store.RECORD).read_bytes()
            if not of_interest(_glance.decode(content)):
                continue
            record = liveness.derived(store.decode(content, folder), folder, policy)
        except (Unreadable, OSError, msgspec.MsgspecError) as problem:
            log.debug("Left alone: %s: %s", folder, problem)
            continue
        runs.append(Placed(folder, record, size_of(folder) if sizes else None))
    return runs


def size_of(folder: Path) -> int:
    """Return the bytes of all files in `folder`."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(f"{root}/{name}").st_size
            except OSError:
                continue
    return total


class _Source(msgspec.Struct):
    """The head of the `run.json` that a bundle keeps."""

    id: str


def bundled_runs(models: Path) -> frozenset[str]:
    """Return the ids of the runs that the bundles in `models`/production came from."""
    ids = set()
    for path in models.glob("production/*/run.json"):
        try:
            ids.add(msgspec.json.decode(path.read_bytes(), type=_Source).id)
        except (OSError, msgspec.MsgspecError):
            log.warning("%s cannot be read, so the run it came from is not known", path)
    return frozenset(ids)


def carry_out(due: Iterable[Due], outputs: Path, policy: LivenessPolicy, *, now: datetime, by: str) -> list[Due]:
    """Archive each run that is still as it was decided on, and return those that were moved.

    A run that somebody else moved, resumed, pinned or changed meanwhile is left alone.
    """
    return [one for one in due if archive(one, outputs, policy, now=now, by=by)]


def archive(due: Due, outputs: Path, policy: LivenessPolicy, *, now: datetime, by: str) -> bool:
    """Move one run to its archive; False where somebody else was faster or has changed it."""
    try:
        before = store.read(due.folder)
        _expect(before, due.record.revision)
        after = liveness.persist(before, due.folder, policy, by)  # a run that was only derived lost is lost on record
        if after.status is not due.record.status:
            raise Conflict(f"it is {after.status.value} now, not {due.record.status.value}")
        folders.archive(due.folder, outputs, due.to, still=lambda folder: _expect(store.read(folder), after.revision))
    except MhcError as problem:
        level = logging.WARNING if isinstance(problem.__cause__, OSError) else logging.INFO  # else: others were faster
        log.log(level, "Run %s was not archived: %s", due.record.id, problem)
        return False
    _note(due, outputs, now=now, by=by)
    return True


def _expect(record: RunRecord, revision: int) -> None:
    if record.revision != revision:
        raise Conflict("its record has changed meanwhile")


def _note(due: Due, outputs: Path, *, now: datetime, by: str) -> None:
    log.info("Run %s archived to %s: %s", due.record.id, due.to.value, due.reason)
    why = f"to {due.to.value}: {due.reason}"
    try:
        move_log.add(outputs, run=due.record.id, what="archived", by=by, why=why, now=now)
    except OSError as problem:
        log.warning("The move of run %s is not in %s: %s", due.record.id, move_log.JOURNAL, problem)


class Fate(NamedTuple):
    """A run, and what the clean-up does with it."""

    run: Placed
    due: Due | None
    """None: it stays."""
    why: str

    @property
    def to(self) -> str:
        """Where it goes."""
        return self.due.to.value if self.due else "stays"


def keeping(policy: Policy, keep: int | None) -> Policy:
    """The policy with another number of debug runs that stay; None leaves it as it is."""
    if keep is None:
        return policy
    archiving = msgspec.structs.replace(policy.archiving, keep_debug=keep)
    return msgspec.structs.replace(policy, archiving=archiving)


def plan(outputs: Path, models: Path, policy: Policy, *, now: datetime) -> list[Fate]:
    """What becomes of every run outside the archives, oldest first."""
    sizes = any(rule.larger_than_mb is not None for rule in rules_of(policy.archiving))
    runs = placed(outputs, policy.liveness, sizes=sizes)
    promoted = bundled_runs(models)
    due = {one.folder: one for one in due_for_archive(runs, policy.archiving, now, in_production=promoted)}
    fates = []
    for run in sorted(runs, key=lambda run: (run.record.created_at, run.record.id)):
        one = due.get(run.folder)
        kept = protection(run.record, in_production=promoted) or "no rule of the policy speaks of it"
        fates.append(Fate(run, one, one.reason if one else kept))
    return fates
