"""What a person says about a run afterwards: pinned, tags, a note. Each change is an event in the run's history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from mhc.errors import BadInput
from mhc.runs import clock, store
from mhc.runs.record import Event, RunRecord

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
        store.update(folder, mark.change, Event(at=clock.text(now), what=mark.what, by=by, why=mark.why))
    return True
