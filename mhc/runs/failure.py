"""The failure of a run as it is recorded: type, sentence, place, traceback. Never the text of a sample.

Frames are recorded without their local values. A message is recorded only if errors of its kind are known to mention
nothing but types, sizes, names and files; the message of another library may quote the data, so only its type and place
are recorded.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from mhc import redaction
from mhc.disk import chain_of
from mhc.errors import MhcError
from mhc.record import Failure
from mhc.runs import user_code

TRACEBACK = "traceback.txt"
MAX_SENTENCE = 500
WITHHELD = "Its message is not kept, since it may quote the data"

SAFE_TYPES = (MhcError, OSError, MemoryError, ImportError, AttributeError, NameError, ArithmeticError, SystemExit)
SAFE_MODULES = ("torch.", "lightning_fabric.", "pytorch_lightning.", "omegaconf.")
"""Exceptions defined in these packages mention devices, shapes and options."""
SAFE_RAISERS = ("/torch/", "/pytorch_lightning/", "/lightning_fabric/")
"""A RuntimeError raised in a file of these packages does too."""
PROJECT = Path(__file__).resolve().parent.parent.parent
OURS = (PROJECT / "mhc", PROJECT / "callbacks")


def describe(error: BaseException) -> Failure:
    """Return the record of `error`; the caller fills in the file name of the traceback."""
    root = cause_of(error)
    return Failure(type=type(root).__name__, sentence=sentence_of(root), where=location_of(root))


def cause_of(error: BaseException) -> BaseException:
    """Return the error itself, or the one that Hydra wrapped, whose message Hydra's own would quote."""
    while type(error).__module__.startswith("hydra.") and error.__cause__ is not None:
        error = error.__cause__
    return error


def sentence_of(error: BaseException) -> str:
    """Return the message of `error`, or that it is withheld if it could contain a text of the data."""
    if isinstance(error, SystemExit):
        return f"exit({'' if error.code is None else error.code!r}) was called before the training was over"
    if not is_safe(error):
        return WITHHELD
    message = (
        str(error) if not isinstance(error, OSError) or isinstance(error, MhcError) else sentence_of_os_error(error)
    )
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", redaction.text(message)).strip()
    return plain[:MAX_SENTENCE] or type(error).__name__


def sentence_of_os_error(error: OSError) -> str:
    """Return the system's message and the name of the file."""
    named = f": {error.filename}" if error.filename is not None else ""
    return f"{error.strerror or type(error).__name__}{named}"


def is_safe(error: BaseException) -> bool:
    """Return whether the message of `error` is of a kind that never quotes the data."""
    if isinstance(error, SAFE_TYPES) or f"{type(error).__module__}.".startswith(SAFE_MODULES):
        return True
    if user_code.place(error):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    return type(error) is RuntimeError and bool(frames) and any(part in frames[-1].filename for part in SAFE_RAISERS)


def location_of(error: BaseException) -> str:
    """Return `file:line function` in the user's network, or of the deepest frame in this project, or of the deepest."""
    if own := user_code.place(error):
        return own
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    ours = [frame for frame in frames if any(folder in Path(frame.filename).parents for folder in OURS)]
    ours = [frame for frame in ours if frame.name != "recording"]  # in the traceback of every failure
    frame = (ours or list(frames))[-1]
    path = Path(frame.filename)
    shown = path.relative_to(PROJECT) if PROJECT in path.parents else path
    return f"{shown}:{frame.lineno} {frame.name}"


def format_traceback(error: BaseException) -> str:
    """Return the traceback of `error` and of its causes, without local values and withheld messages."""
    parts = []
    for link in reversed(list(chain_of(error))):
        frames = traceback.format_list(traceback.extract_tb(link.__traceback__))
        wrapped = cause_of(link) is not link
        sentence = "see above" if wrapped else sentence_of(link)
        parts.append(f"Traceback (most recent call last):\n{''.join(frames)}{type(link).__qualname__}: {sentence}\n")
    return redaction.code("\n".join(parts))
