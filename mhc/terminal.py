"""Text that is safe to print on a terminal, and the report of an unexpected error. Pure.

The report is made to be pasted into an issue: it names places in the code, never values.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import traceback
from importlib.metadata import version
from pathlib import Path

LONGEST = 500
"""Characters of one value that are shown; the rest is cut with an ellipsis."""

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?|\x9b[0-?]*[ -/]*[@-~]")
"""CSI, OSC and two-byte sequences whole, so that no `[31m` is left behind."""
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""C0, C1, DEL, zero-width and direction-changing characters, lone surrogates."""


def clean(text: object, longest: int = LONGEST) -> str:
    """One line that is safe to print: escapes and unseen characters removed, white space joined, cut."""
    line = " ".join(_UNSEEN.sub(" ", _ESCAPE.sub("", str(text)[: longest * 4])).split())
    return cut(line, longest)


def clean_lines(text: object, longest: int = LONGEST * 40) -> str:
    """Like `clean`, but line breaks and indents stay: for sentences that we made of values from disk."""
    lines = _ESCAPE.sub("", str(text)[: longest * 4]).split("\n")
    return cut("\n".join(_UNSEEN.sub(" ", line).rstrip() for line in lines), longest)


def cut(line: str, longest: int) -> str:
    """`line` if it is at most `longest` characters long, else its beginning and an ellipsis."""
    return line if len(line) <= longest else line[: longest - 1] + "…"


def cut_middle(line: str, longest: int, tail: int = 5) -> str:
    """Like `cut`, but the last `tail` characters stay: for run ids, whose ends tell them apart.

    `mhc` takes an id in this form as well: what stands before and behind the ellipsis must fit.
    """
    if len(line) <= longest:
        return line
    tail = min(tail, longest - 2)
    return line[: longest - tail - 1] + "…" + line[-tail:]


def escape_json(text: str) -> str:
    r"""JSON text with every unseen character inside its strings written as \uXXXX: the same values, safe to print."""
    return _UNSEEN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


_UNSEEN_JSON = re.compile(r"[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""JSON itself escapes C0; white space between the values must stay."""


def report(error: BaseException) -> str:
    """Type and places of the error; its message is left out, because it could hold a sample's text.

    With MHC_DEBUG=1 in the environment the whole traceback is given instead, for one's own eyes.
    """
    if os.environ.get("MHC_DEBUG"):
        return "".join(traceback.format_exception(error))
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"  {'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}" for frame in frames]
    return "\n".join(
        [
            "This is a bug in mhc; nothing you typed should end like this. The report to paste into an issue:",
            f"  mhc {version('mhc')}, Python {platform.python_version()}, {sys.platform}",
            f"  {type(error).__module__}.{type(error).__qualname__}",
            *places[-12:],
            "For the whole traceback with its values, set MHC_DEBUG=1 and run the command again.",
        ]
    )
