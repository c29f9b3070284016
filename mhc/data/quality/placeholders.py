"""Values that programs and websites leave in place of a text or an author. Pure."""

from __future__ import annotations

TEXTS = frozenset(
    {
        "[removed]", "[deleted]", "[deleted by user]", "[removed by moderator]", "[removed by reddit]",
        "[ removed by reddit ]", "[unavailable]", "[removed by author]", "[content removed]", "(removed)", "(deleted)",
        "<removed>", "<deleted>", "deleted by user", "removed by moderator",
        "#name?", "#n/a", "#ref!", "#value!", "#null!", "#num!", "#div/0!",
        "nan", "n/a", "null", "<na>", "nat", "[no text]", "[empty]",
        ".", "..", "...", "\u2026", "-", "--", "---", "_",
    }
)  # fmt: skip
"""Placeholders in lower case: of Reddit, of spreadsheets, of pandas, of people who must write something."""

LONGEST = max(map(len, TEXTS))

AUTHORS = frozenset(
    {
        "", "[deleted]", "[removed]", "deleted", "removed", "[deleted by user]", "[unknown]", "unknown", "anonymous",
        "anon", "[anonymous]", "nan", "none", "null", "n/a", "na", "<na>", "#n/a", "-", ".", "?", "[user]",
        "u/[deleted]",
    }
)  # fmt: skip
"""Values in lower case that name no author."""


def is_placeholder(text: str) -> bool:
    """Return whether a normalised text stands for one that is missing."""
    return len(text) <= LONGEST and text.casefold() in TEXTS


def author_of(value: str | None) -> str | None:
    """Return the author; None if the value names none."""
    return None if value is None or value.strip().casefold() in AUTHORS else value
