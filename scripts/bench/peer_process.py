"""Peers run in a process of their own, so that the allocator that mhc sets for its process does not speed them up."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

from scripts.bench import peers, silence
from scripts.bench.setting import Setting

Turn = Callable[[Setting, int, float], float]
"""Setting, seed and seconds to real tokens per second."""

PEERS: dict[str, Turn] = {
    "hf_best_no_attention_dropout": peers.hugging_face(best=True, attention_dropout=0.0),
    "hf_best_attention_dropout": peers.hugging_face(best=True, attention_dropout=peers.ATTENTION_DROPOUT),
    "hf_default": peers.hugging_face(best=False, attention_dropout=peers.ATTENTION_DROPOUT),
    "lightning": peers.lightning,
}
"""The alternatives to mhc that a user would choose."""


class PeerProcess:
    """A second process, in which peers take their turns while this one waits."""

    def __init__(self) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=prepare)

    def turn_of(self, peer: str) -> Turn:
        """Return the turn of a peer, run in the second process."""

        def turn(setting: Setting, seed: int, seconds: float) -> float:
            key = (setting.name, setting.model, setting.train, setting.work, setting.precision, tuple(setting.extra))
            return self.pool.submit(take_turn, peer, key, seed, seconds).result()

        return turn

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown()


def prepare() -> None:
    """Silence the libraries of the second process, and end it with the first one, even if that is killed.

    The libraries are silenced after all imports, because Lightning's import resets its loggers. Without the thread, a
    process whose parent was killed would wait for work for ever.
    """
    silence.libraries()
    Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait for the end of the parent, and end this process at once."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


SettingKey = tuple[str, str, Path | None, Path, str, tuple[str, ...]]


def take_turn(peer: str, key: SettingKey, seed: int, seconds: float) -> float:
    """Run one turn of a peer in the calling process."""
    return PEERS[peer](setting_of(key), seed, seconds)


@cache
def setting_of(key: SettingKey) -> Setting:
    """Return the setting; cached, so that the data it has read is reused from turn to turn."""
    name, model, train, work, precision, extra = key
    return Setting(name, model, train, work, precision, list(extra))
