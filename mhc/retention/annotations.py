"""User annotations (pinned, tags, note), and categories that are derived again under another policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from mhc import timestamps
from mhc.errors import BadInput, Unreadable
from mhc.policy import ClassificationPolicy
from mhc.record import Category, Event, RunRecord
from mhc.runs import classification, store

LONGEST_TAG = 80
LONGEST_NOTE = 4000
replace = msgspec.structs.replace


class Mark(NamedTuple):
    """A change, and the words that the history has for it."""

    what: str
    why: str
    change: Callable[[RunRecord], RunRecord]


def pinned(value: bool) -> Mark:
    """Keep a run from being archived or purged, or no longer."""
    return Mark("pinned" if value else "unpinned", "", lambda record: replace(record, pinned=value))


def tagged(add: Sequence[str], remove: Sequence[str]) -> Mark:
    """Add and remove tags; the order of the others stays.

    Raises:
        BadInput: a tag is empty, too long, or has a character that cannot be seen.
    """
    for tag in add:
        if not tag.strip() or not tag.isprintable() or len(tag) > LONGEST_TAG:
            raise BadInput(f"{tag[:40]!r} is no tag: give 1 to {LONGEST_TAG} printable characters.")
    words = [f"+{tag}" for tag in add] + [f"-{tag}" for tag in remove]

    def change(record: RunRecord) -> RunRecord:
        return replace(record, tags=[tag for tag in dict.fromkeys([*record.tags, *add]) if tag not in remove])

    return Mark("tagged", " ".join(words), change)


def noted(text: str, append: bool) -> Mark:
    """Write the note, or one more line of it.

    Raises:
        BadInput: the text is too long, or has a character that cannot be seen.
    """
    if len(text) > LONGEST_NOTE or not text.replace("\n", "").isprintable():
        raise BadInput(f"A note is at most {LONGEST_NOTE} printable characters and line breaks; this is not.")

    def change(record: RunRecord) -> RunRecord:
        return replace(record, note=f"{record.note}\n{text}" if append and record.note else text)

    return Mark("noted", "", change)


def apply(folder: Path, mark: Mark, *, by: str, now: datetime, dry_run: bool = False) -> bool:
    """Make the change, with its event, unless it changes nothing; whether it does (or would).

    Raises:
        Unreadable, NotFound, BadInput: the record cannot be read or written.
    """
    before = store.read(folder)
    if mark.change(before) == before:
        return False
    if not dry_run:
        store.update(folder, mark.change, Event(at=timestamps.text(now), what=mark.what, by=by, why=mark.why))
    return True


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
            event = Event(at=timestamps.text(now), what="classified", by=by, why=f"{change.after}: {change.reason}")
            store.update(folder, lambda old: _again(old, policy, to), event)
        if change.before != change.after:
            changes.append(change)
    return changes


def _again(record: RunRecord, policy: ClassificationPolicy, to: str | None) -> RunRecord:
    if to is not None:
        said = None if to == RULES else Category(to)
        record = msgspec.structs.replace(record, category_said=said)
    return classification.reclassify(record, policy)
