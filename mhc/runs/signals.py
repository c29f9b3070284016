"""Turn signals into exceptions: each request to end is raised once, when it can be recorded."""

from __future__ import annotations

import _thread
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from mhc.runs import end_request, slurm
from mhc.runs.end_request import PARENT_ENDED, EndRequest, Terminated

__all__ = [
    "EndRequest",
    "Terminated",
    "end_on_request",
    "ignore_for_good",
    "reinstall_handlers",
    "safe_point",
]

Handler = Callable[[int, FrameType | None], None]

COMMAND_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REQUESTS = (*COMMAND_REQUESTS, signal.SIGUSR1, PARENT_ENDED)
"""The signals that may end a training; `_handlers_of_this_process` decides which of them do."""

_handlers: dict[int, Handler] = {}
"""Our handlers, by signal, while `signals_raise` is active. They belong to the process, so one block at a time."""
_of_the_command: dict[int, Handler] = {}
"""Our handlers outside of it, from `end_on_request` on."""
_deferred: dict[int, Handler | int | None] = {}
"""The handlers from before `signals_deferred`, by signal, while requests wait."""
_waiting: list[int] = []
"""The requests that wait."""
_raised: list[BaseException] = []
"""The request that a handler has raised: later ones do nothing, although Lightning installs the handlers again."""


def in_main_thread() -> bool:
    """Return whether this is the main thread, the only one that can handle signals."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def signals_raise() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM, SIGHUP and the like within the block, and KeyboardInterrupt on Ctrl-C.

    SIGUSR1 is a request only under SLURM (its notice of preemption). Ctrl-C and SIGHUP stay ignored if they are
    (`nohup`). The first request is raised once and the others are ignored from then on, so that nothing interrupts its
    handling.
    """
    if not in_main_thread():
        yield
        return
    _handlers.update(_handlers_of_this_process())
    before = {signum: _handler_before(signum) for signum in _handlers}
    if not _deferred:  # else `deliver_deferred` installs them, where a request can be recorded
        _install(_handlers)
    try:
        yield
    finally:
        for signum, former in before.items():
            over = signum in _of_the_command and _raised  # the command ends now, too
            _install({signum: ignore if over else former})
        _handlers.clear()
        _raised.clear()
        end_request.clear()


def _handlers_of_this_process() -> dict[int, Handler]:
    terminate = raiser(os.getpid())
    handlers: dict[int, Handler] = {signal.SIGTERM: terminate}
    if _handler_before(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = terminate
    if _handler_before(signal.SIGINT) in (signal.default_int_handler, interrupt):
        handlers[signal.SIGINT] = interrupt
    if slurm.job_id():
        handlers[signal.SIGUSR1] = terminate
    if multiprocessing.parent_process() is not None:
        handlers[PARENT_ENDED] = terminate
    return handlers


def _install(handlers: Mapping[int, Handler | int | None]) -> None:
    for signum, handler in handlers.items():
        signal.signal(signum, handler if handler is not None else signal.SIG_DFL)


def _handler_before(signum: int) -> Handler | int | None:
    """Return the handler of a signal, or while requests are deferred the one from before."""
    return _deferred[signum] if signum in _deferred else signal.getsignal(signum)


def end_on_request() -> None:
    """Raise the first request of a command once and ignore the others, to the end of this process.

    For the whole command what `signals_raise` does for a training: further requests interrupt neither the last line nor
    the end of the interpreter.
    """
    if in_main_thread():
        handlers = _handlers_of_this_process()
        _of_the_command.update({signum: handlers[signum] for signum in COMMAND_REQUESTS if signum in handlers})
        for signum, handler in _of_the_command.items():
            signal.signal(signum, handler)


def raiser(owner: int) -> Handler:
    """Return a handler that raises `Terminated` once in the process `owner`, and lets its forked workers end."""

    def terminate(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked worker has inherited this handler, but not the run
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        raise_once(Terminated(signum))

    return terminate


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Python does on Ctrl-C, but only once: a hasty user must not interrupt the end."""
    raise_once(KeyboardInterrupt())


def raise_once(request: BaseException) -> None:
    """Raise `request` at the next safe point, or here if the training passes none; nothing after an earlier one.

    Raised here it may leave a lock of a library closed for ever, such as that of the thread that builds the batches.
    """
    if _raised:
        return
    first = end_request.remember(request)
    if not end_request.can_wait():
        raise_now(first)
    if first is request:
        signum = request.signal if isinstance(request, Terminated) else signal.SIGINT
        _thread.start_new_thread(_ask_again, (request, signum))  # without the locks that `threading` would need here


def _ask_again(request: BaseException, signum: int) -> None:
    time.sleep(end_request.PATIENCE)
    if end_request.pending() is request:
        os.kill(os.getpid(), signum)


def raise_now(request: BaseException) -> NoReturn:
    """Raise `request`, and ignore all later ones."""
    if not _raised:
        _raised.append(request)
        for signum in {**_handlers, **_of_the_command}:
            signal.signal(signum, ignore)
        end_request.hide_discarded()
    raise request


def safe_point() -> None:
    """Raise the request that waits, or that a library has discarded: between two batches nothing is half done."""
    end_request.note_safe_point()
    request = end_request.pending()
    if request is not None and in_main_thread():
        raise_now(request)


def ignore(signum: int, frame: FrameType | None) -> None:
    """Do nothing. With SIG_IGN, Python prints an error for a signal that arrived just before."""


def ignore_for_good() -> None:
    """Ignore the requests of a command that is over, also while the interpreter ends, which resets the handlers."""
    if in_main_thread():
        for signum in _of_the_command:
            signal.signal(signum, signal.SIG_IGN)


def reinstall_handlers() -> None:
    """Replace Lightning's signal handlers, which it sets at the start of each fit, validation and test, by ours.

    Lightning's handler waits for all ranks at whatever point they are, which hangs forever if they train together, and
    it would keep SLURM's notice of preemption from us. A process that is only another rank of a training has no run to
    record, so it just ends.
    """
    if not in_main_thread():
        return
    safe_point()
    if not _handlers:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _install(_handlers)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let requests wait from here until `recording`, which the caller enters after the block; not if it raises.

    The block registers a run: a request that ended the process behind it would leave a run that nobody records. A mask
    of the main thread would not do: another thread, which waits for the end of the parent, takes the signal instead.
    """
    if in_main_thread():
        _deferred.update({signum: signal.signal(signum, defer) for signum in _handlers_of_this_process()})
    try:
        yield
    except BaseException:
        deliver_deferred()
        raise


def defer(signum: int, frame: FrameType | None) -> None:
    """Let a request wait for `deliver_deferred`."""
    _waiting.append(signum)


def deliver_deferred() -> None:
    """Let the requests come through that `signals_deferred` has kept waiting: the first is raised."""
    handlers: dict[int, Handler | int | None] = {**_deferred, **_handlers} if _deferred else {}
    waiting = _waiting[:1]
    _deferred.clear()
    _waiting.clear()
    _install(handlers)
    for signum in waiting:
        signal.raise_signal(signum)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore every request within the block; recording the outcome takes milliseconds."""
    if not in_main_thread():
        yield
        return
    before: dict[int, Handler | int | None] = {signum: signal.signal(signum, ignore) for signum in REQUESTS}
    try:
        yield
    finally:
        _install(before)
