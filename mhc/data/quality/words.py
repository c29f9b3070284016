"""Words of texts in any script; in scripts without blanks between words, characters. Pure."""

from __future__ import annotations

import re

LONGEST_WORD = 30
"""Letters of the longest word; a longer run of letters is in a script without blanks."""
WITHOUT_BLANKS = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f"
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u30ff\u3105-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\ua980-\ua9df\ua9e0-\uaa7f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U00016fe0-\U00018d8f\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
)
"""Thai, Lao, Tibetan, Burmese, Hangul, Khmer, Tai and Javanese scripts, Chinese characters, kana, bopomofo, Yi."""
WORDS = re.compile(rf"[{WITHOUT_BLANKS}]|[^\W{WITHOUT_BLANKS}]+")
PLAIN_WORDS = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, or its characters where words cannot be told apart."""
    parts = (PLAIN_WORDS if text.isascii() else WORDS).findall(text)
    if max(map(len, parts), default=0) <= LONGEST_WORD:
        return parts
    return [piece for part in parts for piece in ([part] if len(part) <= LONGEST_WORD else part)]


def word_count(text: str) -> int:
    """Return the number of words."""
    return len(text.split()) if text.isascii() else len(words_of(text))
