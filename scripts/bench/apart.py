"""Contenders in a process of their own, so that what mhc asks of its process (its allocator) is no gift to them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from scripts.bench import others, silence
from scripts.bench.setting import Setting

Turn = Callable[[Setting, int, float], float]
"""Setting, seed and seconds to real tokens per second."""

PEERS: dict[str, Turn] = {
    "hf_best_no_attention_dropout": others.hugging_face(best=True, attention_dropout=0.0),
    "hf_best_attention_dropout": others.hugging_face(best=True, attention_dropout=others.ATTENTION_DROPOUT),
    "hf_default": others.hugging_face(best=False, attention_dropout=others.ATTENTION_DROPOUT),
    "lightning": others.lightning,
}
"""What a user would pick instead of mhc."""


class Apart:
    """One further process, in which peers take their turns while this one waits."""

    def __init__(self) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=be_silent)

    def turn_of(self, peer: str) -> Turn:
        """The turn of a peer, taken there."""

        def turn(setting: Setting, seed: int, seconds: float) -> float:
            known = (setting.name, setting.model, setting.train, setting.work, setting.precision, tuple(setting.extra))
            return self.pool.submit(take_turn, peer, known, seed, seconds).result()

        return turn

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown()


def be_silent() -> None:
    """Called in the other process when all libraries are imported: Lightning's import resets its loggers."""
    silence.libraries()


Known = tuple[str, str, Path | None, Path, str, tuple[str, ...]]


def take_turn(peer: str, known: Known, seed: int, seconds: float) -> float:
    """Carry out a turn in the process that this is called in."""
    return PEERS[peer](setting_of(known), seed, seconds)


@cache
def setting_of(known: Known) -> Setting:
    """The setting, with what it has read kept from turn to turn."""
    name, model, train, work, precision, extra = known
    return Setting(name, model, train, work, precision, list(extra))
