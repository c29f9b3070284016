"""Find the columns that are asked for by their names. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from mhc.errors import BadInput

LONGEST_NAME, MOST_WORDS = 40, 4
"""Longer names, and those of more words, are not shown: without a line of names, they would be texts."""
NAME = re.compile(r"[\w .:/()\[\]#%&+-]*")
"""Matches names of columns; not the marks of a sentence, or of a language of marks."""


def clean_name(name: object) -> str:
    """Return the name of a column without the blanks around it; empty for None."""
    return "" if name is None else str(name).strip().removeprefix("\ufeff").strip()


def positions(columns: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """Return the position of each name; None if no column, or more than one, fits."""
    return [position(columns, name) for name in names]


def position(columns: Sequence[str], name: str) -> int | None:
    """Return where the column is: by its exact name, else regardless of case and blanks if only one fits."""
    exact = [place for place, column in enumerate(columns) if column == name]
    if exact:
        return exact[0] if len(exact) == 1 else None
    similar = [place for place, column in enumerate(columns) if column and folded(column) == folded(name)]
    return similar[0] if len(similar) == 1 else None


def folded(name: str) -> str:
    """Return a name in one case and Unicode form, without blanks."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def required(columns: Sequence[str], names: Sequence[str], where: str, keys: str) -> list[int]:
    """Return the position of each name.

    Raises:
        BadInput: if a column is missing, or several have its name; the message has the columns and the `keys` to set.
    """
    result = []
    for name in names:
        place = position(columns, name)
        if place is None:
            raise BadInput(explanation(columns, name, where, keys))
        result.append(place)
    return result


def explanation(columns: Sequence[str], name: str, where: str, keys: str) -> str:
    """Return the sentence for a column that is missing, or that several have the name of."""
    if list(columns).count(name) > 1:
        return f"{where} has several columns named {name}. Rename all but one"
    similar = [column for column in columns if column and folded(column) == folded(name)]
    if similar:
        return f"{where} has several columns like {name!r}: {preview(similar)}. Give the exact name with {keys}"
    return f"{where} has no column {name!r}. It has: {preview([one for one in columns if one])}. Choose with {keys}"


def preview(names: Sequence[str]) -> str:
    """Return the names for a message; of one that could be a text, only the length is given."""
    shown = [f"(a name of {len(name)} characters)" if may_be_text(name) else name for name in names[:40]]
    return ", ".join(shown) + (f" and {len(names) - 40} more" if len(names) > 40 else "")


def may_be_text(name: str) -> bool:
    """Return whether the name of a column could be a text, because a file has no line of names or a damaged one."""
    return len(name) > LONGEST_NAME or len(name.split()) > MOST_WORDS or NAME.fullmatch(name) is None


def distinct(columns: Sequence[str]) -> list[str]:
    """Return names that are all different: a second `n` becomes `n_2`; a nameless column stays nameless."""
    result: list[str] = []
    for name in columns:
        unused, number = name, 1
        while unused and (unused in result or (number > 1 and unused in columns)):
            number += 1
            unused = f"{name}_{number}"
        result.append(unused)
    return result
