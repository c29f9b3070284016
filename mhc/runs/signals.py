"""How a training ends: signals become exceptions, and the last word on record is not cut short by a second one."""

from __future__ import annotations

import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from mhc.errors import MhcError
from mhc.runs import slurm

if TYPE_CHECKING:
    from mhc.runs.live import LiveRun

log = logging.getLogger("mhc.runs")


class Terminated(BaseException):
    """The process was asked to end by a signal; `code` is the exit code that says so (143 for SIGTERM).

    Not an Exception: no library's handler for errors must swallow it.
    """

    def __init__(self, signum: int) -> None:
        self.signal = signal.Signals(signum)
        self.code = 128 + signum
        super().__init__(self.signal.name)


def in_main_thread() -> bool:
    """Signals can only be handled there."""
    return threading.current_thread() is threading.main_thread()


_raising: dict[int, Callable[[int, FrameType | None], None]] = {}
"""The handlers that raise, by signal, while `signals_raise` lasts."""
_raised: list[BaseException] = []
"""What they have raised: a library in whose midst that was (its imports, most likely) may have swallowed it, or have
stumbled over it and raised something else."""


@contextmanager
def signals_raise() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM, and under SLURM on SIGUSR1 too (its notice of preemption), while within.

    Ctrl-C raises KeyboardInterrupt as ever, and is remembered; where it is ignored (`nohup`), it stays so.
    """
    if not in_main_thread():
        yield
        return
    handler = raiser(os.getpid())
    signals = [signal.SIGTERM, signal.SIGUSR1] if slurm.job_id() else [signal.SIGTERM]
    _raising.update(dict.fromkeys(signals, handler))
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        _raising[signal.SIGINT] = interrupt
    before = {signum: signal.signal(signum, handler) for signum, handler in _raising.items()}
    try:
        yield
    finally:
        _raising.clear()
        _raised.clear()
        for signum, former in before.items():
            signal.signal(signum, former if former is not None else signal.SIG_DFL)


def raiser(owner: int) -> Callable[[int, FrameType | None], None]:
    """Return a handler that raises `Terminated` in the process `owner`, once, and lets its forked workers just end."""

    def terminate(signum: int, frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_IGN if os.getpid() == owner else signal.SIG_DFL)
        if os.getpid() != owner:  # a forked worker has inherited this handler, but not the run
            os.kill(os.getpid(), signum)
        _raised.append(Terminated(signum))
        raise _raised[-1]  # once: a second signal must not interrupt what the first began

    return terminate


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Do what Python does on Ctrl-C, and remember it."""
    _raised.append(KeyboardInterrupt())
    raise _raised[-1]


def raise_pending_signal() -> None:
    """Raise a request to end once more: training has come here all the same, so somebody has swallowed it."""
    if _raised:
        raise _raised[-1]


def reinstall_handlers() -> None:
    """Put our handlers before Lightning's, which it sets at the start of each fit, validation and test.

    Its own waits for all ranks in the middle of whatever they are doing, which hangs for ever when they train
    together, and it would keep SLURM's notice of preemption to itself. A process that only helps another one with its
    training has no run on record, so it just ends.
    """
    if not in_main_thread():
        return
    raise_pending_signal()
    if not _raising:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for signum, handler in _raising.items():
        signal.signal(signum, handler)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGUSR1 within; it takes milliseconds to write the last word."""
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
    """Return why the run was interrupted, where `error` stems from a request to end; else None.

    Lightning answers Ctrl-C with exit(1) and SIGTERM with a SystemExit of its own; submitit answers preemption by
    putting the job back into the queue and exiting.
    """
    for link in _chain(error):
        if isinstance(link, KeyboardInterrupt):
            return "Ctrl-C"
        if isinstance(link, Terminated):
            return f"{link.signal.name}{' from SLURM' if slurm.job_id() else ''}"
        if type(link).__name__ == "SIGTERMException":
            return "SIGTERM"
        if isinstance(link, SystemExit) and _raised_in(link, "/submitit/"):
            return "SLURM preemption, put back into the queue by submitit"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _raised_in(error: BaseException, part: str) -> bool:
    return any(part in frame.filename for frame in traceback.extract_tb(error.__traceback__))


@contextmanager
def recording(run: LiveRun) -> Iterator[LiveRun]:
    """See to it that the record tells how what is within ended, and let every exception through.

    Leaving it well completes the run; Ctrl-C, SIGTERM and SLURM's notice of preemption interrupt it; anything else
    fails it. A record that cannot be written is logged and leaves the run as it was, to be found lost: nothing untrue
    goes on record, and the training's own error is what the caller sees.
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
    """Return what ended the training: the request to end, where there was one that `error` does not know of."""
    return _raised[-1] if _raised and interruption(error) is None else error


def _record_outcome(run: LiveRun, error: BaseException) -> None:
    asked = interruption(error)
    try:
        if asked:
            run.interrupt(asked)
        else:
            run.fail(error)
    except MhcError as problem:
        log.error("How run %s ended is not on record: %s", run.folder.name, problem)
