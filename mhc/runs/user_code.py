"""Errors in a network that the user wrote: they are the user's to mend, and their messages are shown.

A network gets ids of tokens, never a text, so its messages cannot quote the data.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
OURS = tuple(PROJECT / name for name in ("mhc", "callbacks", "scripts"))
CALLERS = (PROJECT / "mhc" / "model", PROJECT / "mhc" / "production" / "loading.py")
"""Code of mhc that builds and calls a network."""
LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def place(error: BaseException) -> str:
    """Return `file:line function` in the user's network that raised `error`; empty if it was raised elsewhere."""
    caller = False
    own: traceback.FrameSummary | None = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if _is_in(path, OURS):
            caller, own = _is_in(path, CALLERS), None
        elif caller and path.is_absolute() and not _is_in(path, LIBRARIES):
            own = frame
    return f"{own.filename}:{own.lineno} {own.name}" if own else ""


def sentence(error: BaseException) -> str | None:
    """Return the sentence for an error in the user's network; None for any other error, and with MHC_DEBUG=1."""
    where = place(error)
    if not where or os.environ.get("MHC_DEBUG"):
        return None
    message = f": {error}" if str(error) else ""
    return (
        f"Your own network failed at {where}: {type(error).__name__}{message}. It is not a part of mhc. For the whole "
        "traceback, set MHC_DEBUG=1 and run the command again"
    )


def _is_in(path: Path, places: tuple[Path, ...]) -> bool:
    return any(path == place or place in path.parents for place in places)
