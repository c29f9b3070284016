"""Requests to end the training of this process: a signal, or the loss of its folder.

They are no Exceptions, so that no library's handler for errors catches them. A library that was interrupted (most
likely in its imports) may discard one all the same, or replace it by another error, so the first one is remembered.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

PARENT_ENDED = signal.SIGUSR2
"""The signal by which the process of a parallel sweep ends the jobs in its workers."""
REASONS = {signal.SIGINT: "Ctrl-C", PARENT_ENDED: "the process of its sweep has ended"}


class EndRequest(BaseException):
    """A request to end; `code` is the exit code of a process that ends because of it."""

    code = 1


class Terminated(EndRequest):
    """The process was asked to end by a signal; `code` is the matching exit code (143 for SIGTERM)."""

    def __init__(self, signum: int) -> None:
        self.signal = signal.Signals(signum)
        self.code = 128 + signum
        super().__init__(self.signal.name)

    @property
    def reason(self) -> str:
        """The reason that is recorded."""
        return REASONS.get(self.signal, self.signal.name)


PATIENCE = 2.0
"""Seconds that a request waits for the next safe point of a training that passes such points."""

_pending: list[tuple[BaseException, float]] = []
"""The first request since the last `clear`, if there is one, and when it came."""
_passed = -math.inf
"""When the training has passed its last safe point."""


def remember(request: BaseException) -> BaseException:
    """Remember `request` if there is no earlier one, and return the one that is remembered."""
    if not _pending:
        _pending.append((request, time.monotonic()))
    return _pending[0][0]


def note_safe_point() -> None:
    """Note that a request could be raised here: the training is between two batches."""
    global _passed
    _passed = time.monotonic()


def can_wait() -> bool:
    """Return whether the request that is remembered should wait for the next safe point."""
    _, came = _pending[0]
    return came - _passed < PATIENCE and time.monotonic() - came < PATIENCE


def pending() -> BaseException | None:
    """Return the request that is remembered."""
    return _pending[0][0] if _pending else None


def raise_pending() -> None:
    """Raise the request that is remembered: if the training continues, a library has discarded it."""
    if _pending:
        raise _pending[0][0]


def clear() -> None:
    """Forget the request: the training that it was meant for has ended."""
    global _passed
    _pending.clear()
    _passed = -math.inf


def hide_discarded() -> None:
    """Let Python print no traceback for the request if it is raised in a finaliser, which discards it."""
    global _former_hook
    if sys.unraisablehook is not _print_others:
        _former_hook, sys.unraisablehook = sys.unraisablehook, _print_others


_former_hook = sys.unraisablehook


def _print_others(unraisable: UnraisableHookArgs) -> None:
    if unraisable.exc_value is None or unraisable.exc_value is not pending():
        _former_hook(unraisable)
