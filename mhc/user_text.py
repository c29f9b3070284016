"""Check the texts that users write into records and the ledger: who, why, notes, tags, answers. Pure.

A line break in a name could forge a line of `mhc history`, and bytes that are not UTF-8 cannot be written as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mhc.errors import BadInput

LONGEST_NAME = 200
LONGEST_TAG = 80
LONGEST_REASON = 2_000
LONGEST_NOTE = 4_000

_LONE_BYTES = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, separators of lines, and those that change the direction of writing."""
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""The same without the line break and the tab."""


def check_line(subject: str, text: str, longest: int = LONGEST_NAME) -> None:
    """Check a text of one line; `subject` begins the sentence about it: `The author (--by)`.

    Raises:
        BadInput: if it is longer, has a line break or another control character, or is not UTF-8.
    """
    _check_encoding_and_length(subject, text, longest)
    if _CONTROL.search(text):
        raise BadInput(f"{subject} has a line break or another control character. Write it as one line")


def check_lines(subject: str, text: str, longest: int = LONGEST_REASON) -> None:
    """Check a text that may have line breaks and tabs.

    Raises:
        BadInput: if it is longer, has another control character, or is not UTF-8.
    """
    _check_encoding_and_length(subject, text, longest)
    if _CONTROL_IN_LINES.search(text):
        raise BadInput(f"{subject} has a control character other than a line break. Remove it")


def require_author(action: str, by: str, reason: str) -> None:
    """Check the author of a change and the reason; `action` is the subject of the sentence if one of them is blank.

    Raises:
        BadInput: if one of them is blank, too long, not UTF-8, or has control characters.
    """
    if not by.strip() or not reason.strip():
        raise BadInput(f"{action} needs an author and a reason: --by NAME --reason 'REASON'")
    check_line("The author (--by)", by)
    check_lines("The reason (--reason)", reason)


def check_run(name: str, description: str, note: str, tags: Iterable[object]) -> None:
    """Check the texts that a training gets on its command line.

    Raises:
        BadInput: if one of them is too long, not UTF-8, or has control characters.
    """
    check_line("The name of the run (name=)", name)
    check_lines("The description (description=)", description)
    check_lines("The note (note=)", note, LONGEST_NOTE)
    for tag in tags:
        check_line("A tag (tags=)", str(tag), LONGEST_TAG)


def _check_encoding_and_length(subject: str, text: str, longest: int) -> None:
    if _LONE_BYTES.search(text):
        raise BadInput(f"{subject} has bytes that are not UTF-8. Write it in UTF-8")
    if len(text) > longest:
        raise BadInput(f"{subject} has {len(text):,} characters. Give at most {longest:,}")
