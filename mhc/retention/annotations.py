"""User annotations of a run: pinned, tags, note, and its category under another policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from mhc import timestamps, user_text
from mhc.errors import BadInput, Unreadable
from mhc.policy import ClassificationPolicy
from mhc.record import Category, Event, RunRecord
from mhc.runs import classification, store

RULES = "rules"
"""Value of `to` in `reclassify` that discards the user's category, so that the rules decide again."""


class Annotation(NamedTuple):
    """A change of a record, with the entry for its history."""

    what: str
    why: str
    change: Callable[[RunRecord], RunRecord]


class CategoryChange(NamedTuple):
    """A run whose category has changed."""

    id: str
    before: str
    after: str
    reason: str


def set_pinned(*, value: bool) -> Annotation:
    """Return the annotation that protects a run from being archived or purged, or removes that protection."""
    return Annotation("pinned" if value else "unpinned", "", lambda record: replace(record, pinned=value))


def edit_tags(add: Sequence[str], remove: Sequence[str]) -> Annotation:
    """Return the annotation that adds and removes tags; the other tags keep their order.

    Raises:
        BadInput: if a tag is empty, too long or not UTF-8, or has a control character.
    """
    for tag in add:
        if not tag.strip():
            raise BadInput(f"{tag[:40]!r} is an empty tag. Give 1 to {user_text.LONGEST_TAG} characters")
        user_text.check_line(f"The tag {tag[:40]!r}", tag, user_text.LONGEST_TAG)
    edits = [f"+{tag}" for tag in add] + [f"-{tag}" for tag in remove]

    def change(record: RunRecord) -> RunRecord:
        return replace(record, tags=[tag for tag in dict.fromkeys([*record.tags, *add]) if tag not in remove])

    return Annotation("tagged", " ".join(edits), change)


def write_note(text: str, *, append: bool) -> Annotation:
    """Return the annotation that replaces the note, or appends a line to it.

    Raises:
        BadInput: if the text is too long or not UTF-8, or has a control character other than a line break.
    """
    user_text.check_lines("The note", text, user_text.LONGEST_NOTE)

    def change(record: RunRecord) -> RunRecord:
        return replace(record, note=f"{record.note}\n{text}" if append and record.note else text)

    return Annotation("noted", "", change)


def apply(folder: Path, annotation: Annotation, *, by: str, now: datetime, dry_run: bool = False) -> bool:
    """Apply the annotation to a run and record the event, unless it changes nothing.

    Returns:
        Whether the record changes, or would change in a dry run.

    Raises:
        Unreadable: if the record cannot be read.
        NotFound: if the record was moved meanwhile.
        BadInput: if the record cannot be written.
    """
    before = store.read(folder)
    if annotation.change(before) == before:
        return False
    if not dry_run:
        event = Event(at=timestamps.format_time(now), what=annotation.what, by=by, why=annotation.why)
        store.update(folder, annotation.change, event)
    return True


def reclassify(
    folders: Sequence[Path],
    policy: ClassificationPolicy,
    *,
    to: str | None,
    by: str,
    now: datetime,
    dry_run: bool = False,
) -> list[CategoryChange]:
    """Classify each run again, and return the runs whose category changed.

    A change of the reason alone is stored, but not returned. If there are several runs, those whose record cannot
    be read are skipped: `mhc doctor` lists them.

    `to` is the category that the user assigns; `RULES` discards an earlier one, and None leaves it as it is.

    Raises:
        Unreadable: if the record of the only run cannot be read.
        NotFound: if a record was moved meanwhile.
        BadInput: if a record cannot be written.
    """
    changes = []
    for folder in folders:
        try:
            record = store.read(folder)
        except Unreadable:
            if len(folders) == 1:
                raise
            continue
        after = _reclassified(record, policy, to)
        if after == record:
            continue
        change = CategoryChange(record.id, record.category or "", after.category or "", after.category_reason)
        if not dry_run:
            why = f"{change.after}: {change.reason}"
            event = Event(at=timestamps.format_time(now), what="classified", by=by, why=why)
            store.update(folder, lambda old: _reclassified(old, policy, to), event)
        if change.before != change.after:
            changes.append(change)
    return changes


def _reclassified(record: RunRecord, policy: ClassificationPolicy, to: str | None) -> RunRecord:
    if to is not None:
        record = replace(record, category_said=None if to == RULES else Category(to))
    return classification.reclassify(record, policy)
