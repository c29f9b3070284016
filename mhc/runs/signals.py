"""Turn signals into exceptions, and record the outcome of a training exactly once."""

from __future__ import annotations

import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from mhc.errors import MhcError
from mhc.runs import slurm
from mhc.runs.failure import chain_of

if TYPE_CHECKING:
    from mhc.runs.live import LiveRun

log = logging.getLogger("mhc.runs")

Handler = Callable[[int, FrameType | None], None]


class Terminated(BaseException):
    """The process was asked to end by a signal; `code` is the matching exit code (143 for SIGTERM).

    Not an Exception, so that no library's handler for errors catches it.
    """

    def __init__(self, signum: int) -> None:
        self.signal = signal.Signals(signum)
        self.code = 128 + signum
        super().__init__(self.signal.name)


@dataclass(frozen=True)
class _Signals:
    """What `signals_raise` has installed and raised. Handlers belong to the process, so one block at a time uses it."""

    handlers: dict[int, Handler] = field(default_factory=dict)
    """Our handlers, by signal, while `signals_raise` is active."""
    raised: list[BaseException] = field(default_factory=list)
    """The exceptions that they raised. A library that was interrupted (most likely in its imports) may have caught and
    discarded one, or replaced it by another error."""

    def clear(self) -> None:
        self.handlers.clear()
        self.raised.clear()


_signals = _Signals()


def in_main_thread() -> bool:
    """Return whether this is the main thread, the only one that can handle signals."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def signals_raise() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM, and under SLURM also on SIGUSR1 (its notice of preemption), within the block.

    Ctrl-C raises KeyboardInterrupt as usual, and is remembered; if it is ignored (`nohup`), it stays ignored.
    """
    if not in_main_thread():
        yield
        return
    handler = raiser(os.getpid())
    signals = [signal.SIGTERM, signal.SIGUSR1] if slurm.job_id() else [signal.SIGTERM]
    _signals.handlers.update(dict.fromkeys(signals, handler))
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        _signals.handlers[signal.SIGINT] = interrupt
    before = {signum: signal.signal(signum, handler) for signum, handler in _signals.handlers.items()}
    try:
        yield
    finally:
        _signals.clear()
        for signum, former in before.items():
            signal.signal(signum, former if former is not None else signal.SIG_DFL)


def raiser(owner: int) -> Handler:
    """Return a handler that raises `Terminated` once in the process `owner`, and lets its forked workers end."""

    def terminate(signum: int, frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_IGN if os.getpid() == owner else signal.SIG_DFL)
        if os.getpid() != owner:  # a forked worker has inherited this handler, but not the run
            os.kill(os.getpid(), signum)
        _signals.raised.append(Terminated(signum))
        raise _signals.raised[-1]  # once: a second signal must not interrupt the handling of the first

    return terminate


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Python does on Ctrl-C, and remember it."""
    _signals.raised.append(KeyboardInterrupt())
    raise _signals.raised[-1]


def raise_pending_signal() -> None:
    """Raise the last request to end again: if training continues, a library has discarded it."""
    if _signals.raised:
        raise _signals.raised[-1]


def reinstall_handlers() -> None:
    """Replace Lightning's signal handlers, which it sets at the start of each fit, validation and test, by ours.

    Lightning's handler waits for all ranks at whatever point they are, which hangs forever if they train together, and
    it would keep SLURM's notice of preemption from us. A process that is only another rank of a training has no run to
    record, so it just ends.
    """
    if not in_main_thread():
        return
    raise_pending_signal()
    if not _signals.handlers:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for signum, handler in _signals.handlers.items():
        signal.signal(signum, handler)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGUSR1 within the block; recording the outcome takes milliseconds."""
    if not in_main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in signals}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)


def interruption(error: BaseException) -> str | None:
    """Return why the run was interrupted if `error` stems from a request to end; else None.

    Lightning answers Ctrl-C with exit(1) and SIGTERM with its own SystemExit; submitit answers preemption by requeueing
    the job and exiting.
    """
    for link in chain_of(error):
        if isinstance(link, KeyboardInterrupt):
            return "Ctrl-C"
        if isinstance(link, Terminated):
            return f"{link.signal.name}{' from SLURM' if slurm.job_id() else ''}"
        if type(link).__name__ == "SIGTERMException":
            return "SIGTERM"
        if isinstance(link, SystemExit) and _was_raised_in(link, "/submitit/"):
            return "SLURM preemption, put back into the queue by submitit"
    return None


def _was_raised_in(error: BaseException, part: str) -> bool:
    return any(part in frame.filename for frame in traceback.extract_tb(error.__traceback__))


@contextmanager
def recording(run: LiveRun) -> Iterator[LiveRun]:
    """Record the outcome of the block in the run's record, and let every exception through.

    A block that ends normally completes the run; Ctrl-C, SIGTERM and SLURM's notice of preemption interrupt it; any
    other exception fails it. If the record cannot be written, this is logged and the run stays as it was, to be found
    lost: nothing untrue is recorded, and the caller sees the training's own error.
    """
    with signals_raise():
        try:
            yield run
            with signals_ignored():
                run.complete()
        except BaseException as error:
            cause = cause_of(error)
            with signals_ignored():
                _record_outcome(run, cause)
                if isinstance(cause, Terminated) and slurm.is_preempted(cause.signal):
                    slurm.requeue(run)
            if cause is not error:
                raise cause from error
            raise


def cause_of(error: BaseException) -> BaseException:
    """Return what ended the training: the request to end if there was one that `error` does not stem from."""
    return _signals.raised[-1] if _signals.raised and interruption(error) is None else error


def _record_outcome(run: LiveRun, error: BaseException) -> None:
    reason = interruption(error)
    try:
        if reason:
            run.interrupt(reason)
        else:
            run.fail(error)
    except MhcError as problem:
        log.error("The outcome of run %s was not recorded: %s", run.folder.name, problem)
