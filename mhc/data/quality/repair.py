"""Mend texts that programs have damaged: HTML entities and tags, and mojibake (UTF-8 read in another encoding).

A text without any of these is returned as it is, after a few cheap tests. Pure.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import NamedTuple

ROUNDS = 20
"""At most so many times in a row: `&amp;amp;` becomes `&amp;`, then `&`."""

ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
"""With its semicolon; without one, it is more likely a word after an ampersand."""

INLINE = "a|abbr|b|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|tt|u"
BLOCK = (
    "article|aside|blockquote|body|br|button|center|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|head|header|hr|"
    "html|iframe|img|input|label|li|link|meta|nav|ol|p|pre|script|section|style|table|tbody|td|tfoot|th|thead|title|"
    "tr|ul|video"
)
TAG = re.compile(
    rf"</?(?:(?P<inline>{INLINE})|{BLOCK})"
    r"(?:\s+[A-Za-z_:][\w:.-]*\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>=]+))*\s*/?>"
    r"|<!--[^<>]*-->",
    re.IGNORECASE,
)
"""Tags of HTML, not other words between angle brackets; an attribute has a value."""


class Repaired(NamedTuple):
    """A text, and what was mended in it."""

    text: str
    markup: bool = False
    """It had HTML entities or tags."""
    mojibake: bool = False


def repaired(text: str) -> Repaired:
    """Return the text with entities decoded, tags removed and mojibake mended; mending the result changes nothing."""
    if is_plain(text):
        return Repaired(text)
    markup = mojibake = False
    for _ in range(ROUNDS):
        plain = without_markup(text)
        mended = without_mojibake(plain)
        if mended == text:
            break
        markup, mojibake = markup or plain != text, mojibake or mended != plain
        text = mended
    return Repaired(text, markup, mojibake)


def is_plain(text: str) -> bool:
    """Return whether a text has nothing to mend, by a test that is cheap."""
    return text.isascii() and "&" not in text and "<" not in text


def without_markup(text: str) -> str:
    """Return the text with entities decoded and tags removed; those between paragraphs and lines become a space."""
    if "&" in text and ";" in text:
        text = ENTITY.sub(decoded, text)
    if "<" in text and ">" in text:
        text = TAG.sub(lambda match: "" if match["inline"] else " ", text)
    return text


def decoded(match: re.Match[str]) -> str:
    """Return the character of an entity; one that HTML does not know stays."""
    entity = match[0]
    return html.unescape(entity) if entity[1] == "#" or entity[1:] in html5 else entity


def without_mojibake(text: str) -> str:
    """Return the text with its encoding mended by ftfy, if it looks as if it were read with a wrong one."""
    if text.isascii():
        return text
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    return fix_encoding(text) if is_bad(text) else text
