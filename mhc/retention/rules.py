"""Decide which runs leave `outputs/` for an archive, and which never do. Pure: nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from mhc import timestamps
from mhc.policy import ArchivingPolicy, ArchivingRule
from mhc.record import Category, Location, RunRecord, Status


class ActiveRun(NamedTuple):
    """A run in `outputs/`, outside the archives."""

    folder: Path
    record: RunRecord
    """With its derived status: lost if its process is gone."""
    bytes: int | None = None
    """Size of all files in its folder; None if it was not measured."""


class Due(NamedTuple):
    """A run to archive, the archive, and the reason."""

    folder: Path
    record: RunRecord
    to: Location
    reason: str


class Context(NamedTuple):
    """Input of the protections besides the run."""

    current: str | None
    """Id of the run that requests the cleanup."""
    in_production: Collection[str]
    """Ids of the runs that bundles came from."""


def running(record: RunRecord, context: Context) -> str | None:
    """Protect a run that is alive or being resumed, or whose state cannot be determined."""
    return "it is running" if record.status is Status.RUNNING else None


def requesting(record: RunRecord, context: Context) -> str | None:
    """Protect the run that requests the cleanup."""
    return "it is the run that asks" if record.id == context.current else None


def pinned(record: RunRecord, context: Context) -> str | None:
    """Protect a run that the user pinned."""
    return "it is pinned" if record.pinned else None


def candidate(record: RunRecord, context: Context) -> str | None:
    """Protect a run that could be promoted."""
    return "it is a candidate" if record.promotion.candidate else None


def promoted(record: RunRecord, context: Context) -> str | None:
    """Protect a run that a bundle was made of."""
    bundles = record.promotion.bundles
    if bundles or record.id in context.in_production:
        return f"the bundle {', '.join(bundles)} was made of it" if bundles else "a bundle was made of it"
    return None


PROTECTIONS: tuple[Callable[[RunRecord, Context], str | None], ...] = (running, requesting, pinned, candidate, promoted)
"""Each returns why the run must not be archived, or None; one reason is enough."""


def protection(record: RunRecord, current: str | None = None, in_production: Collection[str] = ()) -> str | None:
    """Return why the run must not be archived; None if nothing protects it."""
    context = Context(current, in_production)
    return next((why for rule in PROTECTIONS if (why := rule(record, context)) is not None), None)


def rules_of(policy: ArchivingPolicy) -> list[ArchivingRule]:
    """Return all rules of the policy, its two short settings as rules; the first match wins."""
    failed = {"statuses": policy.failed_statuses, "older_than_days": policy.failed_after_days}
    statuses = " or ".join(policy.failed_statuses)
    return [
        ArchivingRule(name=f"{statuses} debug runs", to="archive_debug", category=Category.DEBUG, **failed),  # type: ignore[arg-type]
        ArchivingRule(name=f"{statuses} runs", to="archive_baseline", **failed),  # type: ignore[arg-type]
        ArchivingRule(name="debug runs", to="archive_debug", category=Category.DEBUG, keep=policy.keep_debug),
        *policy.rules,
    ]


def due_for_archive(
    runs: Iterable[ActiveRun],
    policy: ArchivingPolicy,
    now: datetime,
    current: str | None = None,
    in_production: Collection[str] = (),
) -> list[Due]:
    """Return the runs that `policy` archives, oldest first, each with its reason.

    `current` is the run that requests the cleanup: it counts as the newest of its kind, and is never due itself.
    Protected runs are not counted: three pinned debug runs do not cause the next one to be archived.
    """
    newest_first = sorted(runs, key=lambda run: (run.record.created_at, run.record.id), reverse=True)
    unprotected = [
        run for run in newest_first if not protection(run.record, None, in_production) or run.record.id == current
    ]
    due: dict[Path, Due] = {}
    for rule in rules_of(policy):
        remaining = [run for run in unprotected if run.folder not in due]
        for run in matching(rule, remaining, now):
            if run.record.id != current:
                due[run.folder] = Due(run.folder, run.record, Location(rule.to), _reason(rule, run, now))
    return [due[run.folder] for run in reversed(newest_first) if run.folder in due]


def matching(rule: ArchivingRule, newest_first: Sequence[ActiveRun], now: datetime) -> Sequence[ActiveRun]:
    """Return the runs that match `rule`, without the newest ones that it keeps."""
    matches = [run for run in newest_first if fits(rule, run, now)]
    return matches[rule.keep or 0 :]


def fits(rule: ArchivingRule, run: ActiveRun, now: datetime) -> bool:
    """Return whether a run has the category, status, age and size of the rule."""
    return (
        (rule.category is None or run.record.category is rule.category)
        and (not rule.statuses or run.record.status in rule.statuses)
        and (rule.older_than_days is None or age(run.record, now) > timedelta(days=rule.older_than_days))
        and (rule.larger_than_mb is None or (run.bytes or 0) > rule.larger_than_mb * 1e6)
    )


def age(record: RunRecord, now: datetime) -> timedelta:
    """Return the time since the run ended or, if that is unknown, since it was created."""
    return now - timestamps.parse_time(record.ended_at or record.created_at)


def _reason(rule: ArchivingRule, run: ActiveRun, now: datetime) -> str:
    parts = []
    if rule.keep is not None:
        parts.append(f"there are more than {rule.keep}")
    if rule.older_than_days is not None:
        parts.append(f"it ended {age(run.record, now).days} days ago, more than {rule.older_than_days:g}")
    if rule.larger_than_mb is not None:
        parts.append(f"it takes {(run.bytes or 0) / 1e6:,.0f} MB, more than {rule.larger_than_mb:g}")
    return f"{rule.name}: {', '.join(parts) or 'the policy archives all of them'}"
