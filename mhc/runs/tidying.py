"""The policy's clean-up on request: what becomes of every run, and why. Reads; `mhc.runs.cleaning` acts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from mhc.policy import Policy
from mhc.runs import cleaning
from mhc.runs.archiving import Due, Placed, due_for_archive, protection, rules_of


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
    runs = cleaning.placed(outputs, policy.liveness, sizes=sizes)
    promoted = cleaning.bundled_runs(models)
    due = {one.folder: one for one in due_for_archive(runs, policy.archiving, now, in_production=promoted)}
    fates = []
    for run in sorted(runs, key=lambda run: (run.record.created_at, run.record.id)):
        one = due.get(run.folder)
        kept = protection(run.record, in_production=promoted) or "no rule of the policy speaks of it"
        fates.append(Fate(run, one, one.reason if one else kept))
    return fates
