"""How far a running training is: read from the last line that it wrote to its log after an epoch."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

LOG = "train.log"
TAIL = 20_000
"""Bytes at the end of the log that are looked through."""

_LINE = re.compile(r"mhc\.progress epoch (\d+)/(\d+)  (.*)$")
_LEFT = re.compile(r"\s*(?:\d+:)?\d+:\d\d left$")


class Progress(NamedTuple):
    """Where a training is."""

    done: int
    """Epochs."""
    total: int
    facts: str
    """`loss 0.512  val macro-F1 0.812 (best)  9.8k tokens/s`."""


def progress(folder: Path) -> Progress | None:
    """What the run in `folder` last said of its progress; None before the first epoch is over."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - TAIL))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = next((match for match in map(_LINE.search, reversed(lines)) if match), None)
    if found is None:
        return None
    return Progress(int(found[1]), int(found[2]), _LEFT.sub("", found[3]).strip())


def time_left(progress: Progress, started: datetime, now: datetime) -> float | None:
    """Seconds to the last epoch, if those to come take as long as those that are over; early stopping may be sooner.

    Between two epochs' ends the pace is only known to lie between the epochs done and the next one, so the
    estimate takes the middle.
    """
    elapsed = (now - started).total_seconds()
    if progress.done <= 0 or elapsed <= 0:
        return None
    done = min(progress.done + 0.5, progress.total) if progress.done < progress.total else progress.total
    return max(0.0, elapsed / done * (progress.total - done))
