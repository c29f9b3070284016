"""Why a run failed, as it goes on record: type, sentence, place, traceback. Never the text of a sample.

Frames are kept without their local values. A message is kept only where its kind is known to speak of types, sizes,
names and files; what a foreign library says may quote the data, so of those only type and place are kept.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from mhc.errors import MhcError
from mhc.record import Failure

TRACEBACK = "traceback.txt"
LONGEST_SENTENCE = 500
WITHHELD = "Its message is not kept, since it may quote the data"

SAFE_TYPES = (MhcError, OSError, MemoryError, ImportError, AttributeError, NameError, ArithmeticError, SystemExit)
SAFE_MODULES = ("torch.", "lightning_fabric.", "pytorch_lightning.", "omegaconf.")
"""Exceptions defined there speak of devices, shapes and options."""
SAFE_RAISERS = ("/torch/", "/pytorch_lightning/", "/lightning_fabric/")
"""A RuntimeError raised in these packages' files does too."""
PROJECT = Path(__file__).resolve().parent.parent.parent
OURS = (PROJECT / "mhc", PROJECT / "callbacks")


def describe(error: BaseException) -> Failure:
    """Return what goes on record of `error`; the traceback's file name is the caller's to fill in."""
    root = cause_of(error)
    return Failure(type=type(root).__name__, sentence=sentence_of(root), where=location_of(root))


def cause_of(error: BaseException) -> BaseException:
    """Return the error itself, or the one that Hydra wrapped: its own message would quote it."""
    while type(error).__module__.startswith("hydra.") and error.__cause__ is not None:
        error = error.__cause__
    return error


def sentence_of(error: BaseException) -> str:
    """Return the message of `error` where it cannot hold a text of the data, else that it is withheld."""
    if isinstance(error, SystemExit):
        return f"exit({'' if error.code is None else error.code!r}) was called before the training was over"
    if not is_safe(error):
        return WITHHELD
    message = (
        str(error) if not isinstance(error, OSError) or isinstance(error, MhcError) else sentence_of_os_error(error)
    )
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", message).strip()
    return plain[:LONGEST_SENTENCE] or type(error).__name__


def sentence_of_os_error(error: OSError) -> str:
    """Return what the system said and of which file."""
    named = f": {error.filename}" if error.filename is not None else ""
    return f"{error.strerror or type(error).__name__}{named}"


def is_safe(error: BaseException) -> bool:
    """Tell whether the message of `error` is of a kind that never quotes the data."""
    if isinstance(error, SAFE_TYPES) or f"{type(error).__module__}.".startswith(SAFE_MODULES):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    return type(error) is RuntimeError and bool(frames) and any(part in frames[-1].filename for part in SAFE_RAISERS)


def location_of(error: BaseException) -> str:
    """Return `file:line function` of the deepest frame of ours, else of the deepest of all."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    ours = [frame for frame in frames if any(folder in Path(frame.filename).parents for folder in OURS)]
    ours = [frame for frame in ours if frame.name != "recording"]  # every failure of a training passes through there
    frame = (ours or list(frames))[-1]
    path = Path(frame.filename)
    shown = path.relative_to(PROJECT) if PROJECT in path.parents else path
    return f"{shown}:{frame.lineno} {frame.name}"


def format_traceback(error: BaseException) -> str:
    """Return the traceback of `error` and of what led to it, without local values and withheld messages."""
    parts = []
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    for link in reversed(chain):
        frames = traceback.format_list(traceback.extract_tb(link.__traceback__))
        wrapped = cause_of(link) is not link
        said = "see above" if wrapped else sentence_of(link)
        parts.append(f"Traceback (most recent call last):\n{''.join(frames)}{type(link).__qualname__}: {said}\n")
    return "\n".join(parts)
