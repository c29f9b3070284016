"""The words of a `--where` expression, each with its place, and the sentence that points at one of them. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from mhc.errors import BadInput

LONGEST = 2000
"""Characters of an expression."""


class Token(NamedTuple):
    """One word, operator or bracket."""

    text: str
    at: int
    """Its place in the expression, from 0."""
    quoted: bool = False
    """Stood in quotation marks, so it is a text whatever it looks like."""


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator><=|>=|==|!=|<>|!~|[<>=~(),])
      | (?P<quoted>"[^"]*"|'[^']*')(?![\w.])
      | (?P<word>(?:[^\s()<>=!~,"']|"[^"]*"|'[^']*')+)
    )""",
    re.VERBOSE,
)


def tokens(text: str) -> list[Token]:
    """The words of `text`, and an empty one for its end.

    Raises:
        BadInput: where a quotation mark is not closed, or a character stands for nothing.
    """
    if len(text) > LONGEST:
        raise BadInput(f"An expression has at most {LONGEST:,} characters, this one has {len(text):,}")
    made: list[Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            mark = text[at] in "\"'"
            raise mistake(text, at, "this quotation mark is not closed" if mark else "this means nothing here")
        quoted = match.lastgroup == "quoted"
        found = match[match.lastgroup or 0]
        made.append(Token(found[1:-1] if quoted else found, match.end() - len(found), quoted))
        at = match.end()
    return [*made, Token("", end)]


def mistake(text: str, at: int, what: str) -> BadInput:
    """The error that shows the expression with a caret under the place."""
    flat = "".join(letter if letter.isprintable() else " " for letter in text)
    start = max(0, at - 60)
    shown = flat[start : start + 100]
    return BadInput(f"{what[0].upper()}{what[1:]}:\n  {shown}\n  {' ' * (at - start)}^")
