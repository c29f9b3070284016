"""Text that is safe to print on a terminal, and the report of an unexpected error. Pure.

The report is meant to be pasted into an issue: it names places in the code, never values.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

MAX_LENGTH = 500
"""Characters of one value that are shown; the rest is replaced by an ellipsis."""

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?|\x9b[0-?]*[ -/]*[@-~]")
"""Complete CSI, OSC and two-byte sequences, so that no `[31m` remains."""
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""C0, C1, DEL, zero-width and direction-changing characters, lone surrogates."""


def clean(text: object, max_length: int = MAX_LENGTH) -> str:
    """Return one line that is safe to print: no escapes, no invisible characters, single spaces, cut to length."""
    line = " ".join(_INVISIBLE.sub(" ", _ESCAPE.sub("", str(text)[: max_length * 4])).split())
    return cut(line, max_length)


def clean_lines(text: object, max_length: int = MAX_LENGTH * 40) -> str:
    """Return `text` as `clean` does, but with its line breaks and indents: for sentences built from values on disk."""
    lines = _ESCAPE.sub("", str(text)[: max_length * 4]).split("\n")
    return cut("\n".join(_INVISIBLE.sub(" ", line).rstrip() for line in lines), max_length)


def cut(line: str, max_length: int) -> str:
    """Return `line` if it has at most `max_length` characters, else its beginning and an ellipsis."""
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


def cut_middle(line: str, max_length: int, tail: int = 5) -> str:
    """Return `line` as `cut` does, but with its last `tail` characters: for run ids, which differ in their ends.

    `mhc` accepts an id in this form as well: the parts before and after the ellipsis must match.
    """
    if len(line) <= max_length:
        return line
    tail = min(tail, max_length - 2)
    return line[: max_length - tail - 1] + "…" + line[-tail:]


def quantity(count: int, noun: str) -> str:
    """Return `1 run`, `2,000 runs`, `3 processes`, `4 entries`."""
    if count == 1:
        return f"{count:,} {noun}"
    return (
        f"{count:,} {noun[:-1]}ies" if noun.endswith("ry") else f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"
    )


def escape_json(text: str) -> str:
    r"""Return JSON text with every invisible character in its strings as \uXXXX: the same values, safe to print."""
    return _INVISIBLE_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


_INVISIBLE_JSON = re.compile(r"[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Without C0, which JSON itself escapes: white space between the values must remain."""


def report(error: BaseException) -> str:
    """Return the type and the places of an error, without its message, which could contain the text of a sample.

    With MHC_DEBUG=1 in the environment, return the whole traceback instead, which is not meant to be shared.
    """
    import platform  # here, as the next two: every command imports this module, and hardly any reports a bug
    import traceback
    from importlib.metadata import version

    if os.environ.get("MHC_DEBUG"):
        return "".join(traceback.format_exception(error))
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"  {'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}" for frame in frames]
    return "\n".join(
        [
            "This is a bug in mhc; no input should cause it. The report to paste into an issue:",
            f"  mhc {version('mhc')}, Python {platform.python_version()}, {sys.platform}",
            f"  {type(error).__module__}.{type(error).__qualname__}",
            *places[-12:],
            "For the whole traceback with its values, set MHC_DEBUG=1 and run the command again.",
        ]
    )
