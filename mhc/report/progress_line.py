"""The progress line of a training: written to the log by the callback, read back from the log by `mhc watch`."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

WIDTH = 28
"""Characters of the bar itself."""


def bar(epoch: str, done: int, total: int, facts: list[str]) -> str:
    """`epoch 3/12  ━━━━━━━━━╸            41/120  loss 0.512  0:14 left`."""
    filled = round(2 * WIDTH * min(1.0, done / max(1, total)))
    drawn = "━" * (filled // 2) + "╸" * (filled % 2)
    return "  ".join([f"epoch {epoch}", drawn.ljust(WIDTH), f"{done}/{total}", *facts])


def line(epoch: str, facts: list[str]) -> str:
    """`epoch 3/12  loss 0.512  val macro-F1 0.812 (best)  9.8k tokens/s  1:10 left`."""
    return "  ".join([f"epoch {epoch}", *facts])


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `3:04:05`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def rate(per_second: float) -> str:
    """`850`, `9.8k`, `1.2M`."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if per_second >= size:
            return f"{per_second / size:.1f}{unit}"
    return f"{per_second:.0f}"


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
