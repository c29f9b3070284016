"""Decide which runs leave `outputs/` for an archive, and which never do. Pure: nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from mhc import timestamps
from mhc.policy import ArchivingPolicy, ArchivingRule
from mhc.record import Category, Location, RunRecord, Status


class Placed(NamedTuple):
    """A run that lies in `outputs/`, outside the archives."""

    folder: Path
    record: RunRecord
    """With its derived status: lost where its process is gone."""
    bytes: int | None = None
    """Of all files in its folder; None where nobody measured it."""


class Due(NamedTuple):
    """A run that is to be archived, where to, and why."""

    folder: Path
    record: RunRecord
    to: Location
    reason: str


class Given(NamedTuple):
    """What the protections look at besides the run."""

    current: str | None
    """Id of the run that is asking."""
    in_production: Collection[str]
    """Ids of the runs that bundles came from."""


def running(record: RunRecord, given: Given) -> str | None:
    """A run that is alive, being resumed, or of which that cannot be told."""
    return "it is running" if record.status is Status.RUNNING else None


def asking(record: RunRecord, given: Given) -> str | None:
    """The run that is tidying up."""
    return "it is the run that asks" if record.id == given.current else None


def pinned(record: RunRecord, given: Given) -> str | None:
    """A person pinned it."""
    return "it is pinned" if record.pinned else None


def candidate(record: RunRecord, given: Given) -> str | None:
    """It could be promoted."""
    return "it is a candidate" if record.promotion.candidate else None


def promoted(record: RunRecord, given: Given) -> str | None:
    """A bundle was made of it."""
    bundles = record.promotion.bundles
    if bundles or record.id in given.in_production:
        return f"the bundle {', '.join(bundles)} was made of it" if bundles else "a bundle was made of it"
    return None


PROTECTIONS: tuple[Callable[[RunRecord, Given], str | None], ...] = (running, asking, pinned, candidate, promoted)
"""Each is enough to keep a run where it is."""


def protection(record: RunRecord, current: str | None = None, in_production: Collection[str] = ()) -> str | None:
    """Return why the run must not be archived; None where nothing forbids it."""
    given = Given(current, in_production)
    return next((why for rule in PROTECTIONS if (why := rule(record, given)) is not None), None)


def rules_of(policy: ArchivingPolicy) -> list[ArchivingRule]:
    """Return all rules of the policy, the two short ones spelt out; first match wins."""
    failed = {"statuses": policy.failed_statuses, "older_than_days": policy.failed_after_days}
    which = " or ".join(policy.failed_statuses)
    return [
        ArchivingRule(name=f"{which} debug runs", to="archive_debug", category=Category.DEBUG, **failed),  # type: ignore[arg-type]
        ArchivingRule(name=f"{which} runs", to="archive_baseline", **failed),  # type: ignore[arg-type]
        ArchivingRule(name="debug runs", to="archive_debug", category=Category.DEBUG, keep=policy.keep_debug),
        *policy.rules,
    ]


def due_for_archive(
    runs: Iterable[Placed],
    policy: ArchivingPolicy,
    now: datetime,
    current: str | None = None,
    in_production: Collection[str] = (),
) -> list[Due]:
    """Return the runs that `policy` sends to an archive, oldest first, each with its reason.

    `current` is the run that asks: it counts as the newest of its kind, and is never due itself. Protected runs are
    left out of all counts: three pinned debug runs do not drive out the next.
    """
    newest_first = sorted(runs, key=lambda run: (run.record.created_at, run.record.id), reverse=True)
    free = [run for run in newest_first if not protection(run.record, None, in_production) or run.record.id == current]
    due: dict[Path, Due] = {}
    for rule in rules_of(policy):
        left = [run for run in free if run.folder not in due]
        for run in chosen(rule, left, now):
            if run.record.id != current:
                due[run.folder] = Due(run.folder, run.record, Location(rule.to), _reason(rule, run, now))
    return [due[run.folder] for run in reversed(newest_first) if run.folder in due]


def chosen(rule: ArchivingRule, newest_first: Sequence[Placed], now: datetime) -> Sequence[Placed]:
    """Return the runs that fit `rule`, without the newest ones that it keeps."""
    fitting = [run for run in newest_first if fits(rule, run, now)]
    return fitting[rule.keep or 0 :]


def fits(rule: ArchivingRule, run: Placed, now: datetime) -> bool:
    """Tell whether a run has the category, status, age and size that the rule speaks of."""
    return (
        (rule.category is None or run.record.category is rule.category)
        and (not rule.statuses or run.record.status in rule.statuses)
        and (rule.older_than_days is None or age(run.record, now) > timedelta(days=rule.older_than_days))
        and (rule.larger_than_mb is None or (run.bytes or 0) > rule.larger_than_mb * 1e6)
    )


def age(record: RunRecord, now: datetime) -> timedelta:
    """Return how long ago the run ended; where that is unknown, how long ago it was created."""
    return now - timestamps.parse(record.ended_at or record.created_at)


def _reason(rule: ArchivingRule, run: Placed, now: datetime) -> str:
    parts = []
    if rule.keep is not None:
        parts.append(f"there are more than {rule.keep}")
    if rule.older_than_days is not None:
        parts.append(f"it ended {age(run.record, now).days} days ago, more than {rule.older_than_days:g}")
    if rule.larger_than_mb is not None:
        parts.append(f"it takes {(run.bytes or 0) / 1e6:,.0f} MB, more than {rule.larger_than_mb:g}")
    return f"{rule.name}: {', '.join(parts) or 'the policy archives all of them'}"
