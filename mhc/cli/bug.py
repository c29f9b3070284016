"""The report of an error that nobody foresaw, made to be pasted into an issue: places in the code, never values."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from importlib.metadata import version
from pathlib import Path


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
