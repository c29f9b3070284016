"""The progress line of a training: its format, its writer and its reader.

`callbacks.progress` writes a line to the log of the run after every epoch, `mhc watch` reads the last one back:

    ... INFO mhc.progress epoch 3/12  loss 0.512  val macro-F1 0.812 (best)  9.8k tokens/s  1:10 left
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from mhc.files import open_binary

LOG = "train.log"
TAIL = 20_000
"""Bytes at the end of the log that are searched for the last line."""
WIDTH = 28
"""Characters of the bar in `batch_line`."""

_LINE = re.compile(r"mhc\.progress epoch (\d+)/(\d+)  (.*)$")
_TIME_LEFT = re.compile(r"\s*(?:\d+:)?\d+:\d\d left$")


class EpochProgress(NamedTuple):
    """The content of an epoch's line."""

    done: int
    """Epochs that are finished."""
    total: int
    """Epochs of the training."""
    facts: str
    """`loss 0.512  val macro-F1 0.812 (best)  9.8k tokens/s`."""


def epoch_line(epoch: str, facts: list[str]) -> str:
    """Return `epoch 3/12  loss 0.512  val macro-F1 0.812 (best)  9.8k tokens/s  1:10 left`."""
    return "  ".join([f"epoch {epoch}", *facts])


def batch_line(epoch: str, done: int, total: int, facts: list[str]) -> str:
    """Return `epoch 3/12  ━━━━━━━━━╸            41/120  loss 0.512  0:14 left`, for a terminal only."""
    halves = round(2 * WIDTH * min(1.0, done / max(1, total)))
    bar = "━" * (halves // 2) + "╸" * (halves % 2)
    return "  ".join([f"epoch {epoch}", bar.ljust(WIDTH), f"{done}/{total}", *facts])


def format_seconds(seconds: float) -> str:
    """Return `0:07`, `12:30` or `3:04:05`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rate(per_second: float) -> str:
    """Return `850`, `9.8k` or `1.2M`."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if per_second >= size:
            return f"{per_second / size:.1f}{unit}"
    return f"{per_second:.0f}"


def read_progress(folder: Path) -> EpochProgress | None:
    """Return the last progress line of the run in `folder`, or None before the end of the first epoch."""
    try:
        with open_binary(folder / LOG) as log:
            log.seek(max(0, log.seek(0, 2) - TAIL))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    match = next((match for match in map(_LINE.search, reversed(lines)) if match), None)
    if match is None:
        return None
    return EpochProgress(int(match[1]), int(match[2]), _TIME_LEFT.sub("", match[3]).strip())


def time_left(progress: EpochProgress, started: datetime, now: datetime) -> float | None:
    """Return the seconds to the end of the last epoch if all epochs take equally long, or None if they are unknown.

    Early stopping may end the training sooner. Between the ends of two epochs, the work done is only known to lie
    between the finished epochs and the next one, so the estimate takes the middle.
    """
    elapsed = (now - started).total_seconds()
    if progress.done <= 0 or elapsed <= 0:
        return None
    done = min(progress.done + 0.5, progress.total) if progress.done < progress.total else progress.total
    return max(0.0, elapsed / done * (progress.total - done))
