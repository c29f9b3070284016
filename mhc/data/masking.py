"""Replace what identifies a person in a text (URLs, e-mail addresses, user handles, phone numbers) by marks. Pure.

The patterns are valid for Python's `re` and for the library `tokenizers`, so that a trained tokenizer masks by itself,
in any program that loads it. A masked text has nothing left to mask.
"""

from __future__ import annotations

import re
from typing import NamedTuple

DOMAINS = "com|org|net|edu|gov|info|io|uk|de|eu"
"""Ends of a web address that has neither a scheme nor `www`."""


class Mask(NamedTuple):
    """One kind of content that is replaced."""

    mark: str
    """Replaces the content; one token of a trained tokenizer."""
    pattern: str
    trigger: re.Pattern[str]
    """Cheap to search; a text without it has no such content."""


MASKS = (
    Mask(
        "[URL]",
        r"(?<![A-Za-z])(?:[A-Za-z][A-Za-z0-9+.\-]{0,20}://|[Ww]{3}\.)\S+"
        rf"|(?<![A-Za-z0-9.@\-])(?:[A-Za-z0-9\-]+\.)+(?:{DOMAINS})(?:/\S*|(?![A-Za-z@\-]|\.[A-Za-z]))",
        re.compile(rf"://|[Ww]{{3}}\.|\.(?:{DOMAINS})"),
    ),
    Mask(
        "[EMAIL]",
        r"(?<![\w.%+\-@])@*(?:[\w.%+\-]+@+)+[\w\-]+(?:\.[\w\-]+)*",
        re.compile("@"),
    ),
    Mask(
        "[USER]",
        r"(?<![\w@])@+\w(?:[\w.@/\-]*\w)?|(?<![^\W\d])(?<!/)/?[Uu]/[\w\-](?:[\w.@/\-]*\w)?",
        re.compile("@|[Uu]/"),
    ),
    Mask(
        "[PHONE]",
        "[+(]{0,2}\\d(?:[ .\\-/()\u2010-\u2015]{0,3}\\d){6,}",
        re.compile(r"\d"),
    ),
)
"""In the order in which they are applied. Any number of 7 digits or more counts as a phone number."""

MARKS = tuple(mask.mark for mask in MASKS)

_COMPILED = tuple((mask.mark, mask.trigger.search, re.compile(mask.pattern).sub) for mask in MASKS)


def mask(text: str) -> str:
    """Return the text with marks in place of URLs, e-mail addresses, user handles and phone numbers."""
    for mark, triggered, sub in _COMPILED:
        if triggered(text):
            text = sub(mark, text)
    return text
