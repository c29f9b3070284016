"""Replace what identifies a person in a text (URLs, e-mail addresses, user handles, phone numbers) by marks. Pure.

The patterns mean the same in Python's `re` and in the library `tokenizers`, so that a trained tokenizer masks by
itself, in any program that loads it: their classes of characters are ranges, since the two engines disagree on what a
letter, a digit and a space is. A masked text has nothing left to mask.
"""

from __future__ import annotations

import re
import string
from typing import NamedTuple

DOMAINS = "com|org|net|edu|gov|info|io|uk|de|eu"
"""Ends of a web address that has neither a scheme nor `www`."""

ASCII_SEPARATORS = string.punctuation.replace("_", "")
OTHER_SEPARATORS = (
    "\x80-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf\xd7\xf7\u0589-\u058f\u05be\u05c0\u05c3\u05f3-\u060f\u061b-\u061f"
    "\u066a-\u066d\u06d4\u0964\u0965\u0e3f\u0e4f\u104a-\u104f\u1361-\u1368\u1680\u17d4-\u17d6\u2000-\u206f"
    "\u207a-\u207e\u208a-\u208e\u20a0-\u20cf\u2190-\u2bff\u2e00-\u2e2e\u2e30-\u2e7f\u3000-\u3004\u3008-\u3020"
    "\u3030\u303d-\u303f\u30a0\u30fb\u3200-\u33ff\ufd3e-\ufd4f\ufe10-\ufe19\ufe30-\ufe6f\ufeff-\uff0f"
    "\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffff\U0001f000-\U0001faff"
)
"""Punctuation, spaces, symbols and emoji; all other characters are parts of words (the punctuation of rare scripts
too)."""

ZEROS = (
    "0\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040\u1090"
    "\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0\ua9f0\uaa50\uabf0\uff10"
)
"""The zeros of the scripts; the other digits follow each."""


def parts_of_words(also: str = "") -> str:
    """Return the class of letters, marks and digits of all scripts, of `_`, and of the separators in `also`."""
    separators = "".join(re.escape(each) for each in ASCII_SEPARATORS if each not in also)
    return f"[^\x00-\x20\x7f{separators}{OTHER_SEPARATORS}]"


W = parts_of_words()
DIGITS = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in ZEROS)
NOT_SPACE = "[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
LATIN = "A-Za-z0-9\u00c0-\u024f\u0370-\u052f"
"""Letters of web addresses: Latin, Greek and Cyrillic ones, as other scripts may have no spaces before an address."""

D = f"[{DIGITS}]"
NO_LETTER_BEFORE = f"(?:(?<!{W})|(?<={D}))"
GAP = "[ .\\-/()\u2010-\u2015]"
"""May be up to three times between two digits of a phone number."""
CHAIN_ENDS = f"(?!{GAP}{{0,3}}{D})"
NO_DIGIT_BEFORE = f"(?<!{D})(?<!{D}{GAP})(?<!{D}{GAP}{{2}})(?<!{D}{GAP}{{3}})"
NO_ZERO = f"(?![{ZEROS}])"
CURRENCY = "[$\u00a2-\u00a5\u20a0-\u20bf]"

NO_PHONE_NUMBERS = (
    rf"{NO_ZERO}{D}{{7,8}}",  # an id, an amount, a year with month and day
    rf"{D}{{1,2}}[./\-]{D}{{1,2}}[./\-](?:{D}{{4}}|{D}{{2}})(?: {D}{{1,2}}(?=[:h]))?",  # 24.12.2024 18:00
    rf"{D}{{4}}[./\-]{D}{{1,2}}[./\-]{D}{{1,2}}(?: {D}{{1,2}}(?=[:h]))?",  # 2024-12-24
    rf"(?:19|20){D}{{2}}(?:{GAP}{{1,3}}(?:19|20){D}{{2}})+",  # 2019-2024
    rf"{NO_ZERO}{D}{{1,3}}(?:[ .]{D}{{3}})*[ .]000",  # 12 500 000
    rf"(?:0|[1-9]{D}?)\.{D}+",  # 3.14159265
    rf"{NO_ZERO}{D}+0 ?[\-\u2010-\u2015/] ?{D}+0",  # 1500-2000
    rf"1{GAP}{{1,3}}2{GAP}{{1,3}}3(?:{GAP}{{1,3}}{D}{{1,2}})+",  # 1 2 3 4 5 6 7
    rf"{NO_ZERO}{D}(?:{GAP}{{0,3}}{D})*(?= ?{CURRENCY})",  # 2.450.300 EUR
)
"""Chains of seven digits and more that are no phone number; none of them may go on after what matches."""

NUMBER = rf"{D}(?:{GAP}{{0,3}}{D}){{6,}}"
PHONE = (
    rf"(?=[+({DIGITS}])(?:\(?\+\(?{NUMBER}|"
    rf"{NO_DIGIT_BEFORE}(?<!{CURRENCY})(?<!{CURRENCY} )"
    rf"(?!\(?(?:{'|'.join(NO_PHONE_NUMBERS)}){CHAIN_ENDS})\(?{NUMBER})"
)
"""Seven digits or more after `+`, after a leading 0 or in groups, or nine and more in a row; but not what is in
`NO_PHONE_NUMBERS`, and no amount beside the sign of a currency."""


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
        rf"(?<![A-Za-z])(?:[A-Za-z][A-Za-z0-9+.\-]{{0,20}}://|[Ww]{{3}}\.){NOT_SPACE}+"
        rf"|(?<![{LATIN}.@\-])(?:[{LATIN}\-]+\.)+(?:{DOMAINS})(?:/{NOT_SPACE}*|(?![{LATIN}@\-]|\.[{LATIN}]))",
        re.compile(rf"://|[Ww]{{3}}\.|\.(?:{DOMAINS})"),
    ),
    Mask(
        "[EMAIL]",
        rf"(?<!{parts_of_words('.%+-@')})@*(?:{parts_of_words('.%+-')}+@+)+{parts_of_words('-')}+"
        rf"(?:\.{parts_of_words('-')}+)*",
        re.compile("@"),
    ),
    Mask(
        "[USER]",
        rf"(?<!{parts_of_words('@')})@+{W}(?:{parts_of_words('.@/-')}*{W})?"
        rf"|{NO_LETTER_BEFORE}(?<!/)/?[Uu]/{parts_of_words('-')}(?:{parts_of_words('.@/-')}*{W})?",
        re.compile("@|[Uu]/"),
    ),
    Mask("[PHONE]", PHONE, re.compile(D)),
)
"""In the order in which they are applied."""

MARKS = tuple(mask.mark for mask in MASKS)
PATTERNS = tuple(mask.pattern for mask in MASKS)

_COMPILED = tuple((mask.mark, mask.trigger.search, re.compile(mask.pattern).sub) for mask in MASKS)


def mask(text: str) -> str:
    """Return the text with marks in place of URLs, e-mail addresses, user handles and phone numbers."""
    for mark, triggered, sub in _COMPILED:
        if triggered(text):
            text = sub(mark, text)
    return text
