"""Derive the categories of runs on record again, because the policy or a person says otherwise now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from mhc.errors import Unreadable
from mhc.policy import ClassificationPolicy
from mhc.runs import classification, clock, store
from mhc.runs.record import Category, Event, RunRecord

RULES = "rules"
"""What `to` says to let the rules decide again where a person had."""


class Change(NamedTuple):
    """A run whose category is another now."""

    id: str
    before: str
    after: str
    reason: str


def reclassify(
    folders: Sequence[Path],
    policy: ClassificationPolicy,
    *,
    to: str | None,
    by: str,
    now: datetime,
    dry_run: bool = False,
) -> list[Change]:
    """Give each run the category that its facts have under `policy`, or the one that `to` says; return whose changed.

    A reason that changed is written too, but is no news.

    Runs whose record cannot be read are left out when there are several: `mhc doctor` names them.

    Raises:
        Unreadable: the only run's record cannot be read.
        NotFound, BadInput: a record cannot be written.
    """
    changes = []
    for folder in folders:
        try:
            record = store.read(folder)
        except Unreadable:
            if len(folders) == 1:
                raise
            continue
        after = _again(record, policy, to)
        if after == record:
            continue
        change = Change(record.id, record.category or "", after.category or "", after.category_reason)
        if not dry_run:
            event = Event(at=clock.text(now), what="classified", by=by, why=f"{change.after}: {change.reason}")
            store.update(folder, lambda old: _again(old, policy, to), event)
        if change.before != change.after:
            changes.append(change)
    return changes


def _again(record: RunRecord, policy: ClassificationPolicy, to: str | None) -> RunRecord:
    if to is not None:
        said = None if to == RULES else Category(to)
        record = msgspec.structs.replace(record, category_said=said)
    return classification.reclassify(record, policy)
