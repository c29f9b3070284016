"""The words of a training's progress: a bar for the epoch under way, a line for each that is done. Pure."""

from __future__ import annotations

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
