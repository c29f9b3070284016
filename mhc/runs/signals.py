"""Turn signals into exceptions, and record the outcome of a training exactly once."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from mhc import disk
from mhc.disk import chain_of
from mhc.errors import BadInput, Conflict, MhcError
from mhc.runs import end_request, own_folder, process_control, slurm
from mhc.runs.end_request import PARENT_ENDED, EndRequest, Terminated, raise_pending
from mhc.runs.own_folder import FolderMoved

if TYPE_CHECKING:
    from mhc.runs.live import LiveRun

__all__ = [
    "EndRequest",
    "Terminated",
    "end_on_request",
    "ignore_for_good",
    "raise_pending",
    "recording",
    "reinstall_handlers",
]

log = logging.getLogger("mhc.runs")


Handler = Callable[[int, FrameType | None], None]

COMMAND_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REQUESTS = (*COMMAND_REQUESTS, signal.SIGUSR1, PARENT_ENDED)
"""The signals that may end a training; `_handlers_of_this_process` decides which of them do."""

_handlers: dict[int, Handler] = {}
"""Our handlers, by signal, while `signals_raise` is active. They belong to the process, so one block at a time."""
_of_the_command: dict[int, Handler] = {}
"""Our handlers outside of it, from `end_on_request` on."""
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
    before = {signum: signal.signal(signum, handler) for signum, handler in _handlers.items()}
    try:
        yield
    finally:
        for signum, former in before.items():
            over = signum in _of_the_command and _raised  # the command ends now, too
            signal.signal(signum, ignore if over else former if former is not None else signal.SIG_DFL)
        _handlers.clear()
        _raised.clear()
        end_request.clear()


def _handlers_of_this_process() -> dict[int, Handler]:
    terminate = raiser(os.getpid())
    handlers: dict[int, Handler] = {signal.SIGTERM: terminate}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = terminate
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, interrupt):
        handlers[signal.SIGINT] = interrupt
    if slurm.job_id():
        handlers[signal.SIGUSR1] = terminate
    if multiprocessing.parent_process() is not None:
        handlers[PARENT_ENDED] = terminate
    return handlers


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
    """Raise `request`, unless an earlier one was raised."""
    if _raised:
        return
    _raised.append(request)
    for signum in {**_handlers, **_of_the_command}:
        signal.signal(signum, ignore)
    end_request.hide_discarded()
    raise end_request.remember(request)


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
    raise_pending()
    if not _handlers:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for signum, handler in _handlers.items():
        signal.signal(signum, handler)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let requests wait from here until `recording`, which the caller enters after the block; not if it raises.

    The block registers a run: a request that ended the process behind it would leave a run that nobody records.
    """
    if in_main_thread():
        signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)
    try:
        yield
    except BaseException:
        deliver_deferred()
        raise


def deliver_deferred() -> None:
    """Let the requests come through that `signals_deferred` has kept waiting."""
    if in_main_thread():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore every request within the block; recording the outcome takes milliseconds."""
    if not in_main_thread():
        yield
        return
    before = {signum: signal.signal(signum, ignore) for signum in REQUESTS}
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
            return f"{link.reason}{' from SLURM' if slurm.job_id() else ''}"
        if isinstance(link, FolderMoved):
            return link.reason
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

    A block that ends normally completes the run; a request to end interrupts it; any other exception fails it. If the
    record cannot be written, this is logged and the run stays as it was, to be found lost: nothing untrue is recorded,
    and the caller sees the training's own error.

    Raises:
        Conflict: if the folder of the run was moved, deleted or replaced meanwhile.
        BadInput: if a full or read-only disk ended the training, whichever library noticed it.
    """
    with signals_raise():
        try:
            deliver_deferred()  # within the try: a request that has waited is recorded as well
            yield run
            with signals_ignored():
                run.complete()
        except BaseException as error:
            cause = cause_of(error, run)
            with signals_ignored():
                _record_outcome(run, cause)
                if isinstance(cause, Terminated) and slurm.is_preempted(cause.signal):
                    slurm.requeue(run)
            shown = Conflict(str(cause)) if isinstance(cause, FolderMoved) else cause
            add_resume_command(shown, run)
            if shown is not error:
                raise shown from error
            raise


def cause_of(error: BaseException, run: LiveRun) -> BaseException:
    """Return what ended the training: a request to end, the loss of its folder or space, else `error` itself."""
    if isinstance(error, FolderMoved):
        return error
    if interruption(error) is None:
        try:
            raise_pending()
            own_folder.check(run.folder)
        except BaseException as request:
            return request
        sentence = disk.explain(error, run.folder)
        if sentence and not isinstance(error, MhcError):
            full = BadInput(sentence)
            full.__cause__ = error
            return full
    return error


def add_resume_command(error: BaseException, run: LiveRun) -> None:
    """Note how to continue on an interruption, or a full disk, of a single run; a sweep names its own command."""
    if interruption(error) is None and not disk.is_full(error):
        return
    with suppress(MhcError):
        if run.record().sweep is None:
            error.add_note(f"Continue the run with: {process_control.resume_command(run.folder)}")


def _record_outcome(run: LiveRun, error: BaseException) -> None:
    reason = interruption(error)
    try:
        if reason:
            run.interrupt(reason)
        else:
            run.fail(error)
    except FolderMoved:
        log.debug("Run %s has no folder to record its outcome in", run.folder.name)
    except MhcError as problem:
        log.error("The outcome of run %s was not recorded: %s", run.folder.name, problem)
