"""Record the outcome of a training exactly once, and say what ended it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mhc import disk
from mhc.disk import chain_of
from mhc.errors import BadInput, Conflict, MhcError
from mhc.runs import own_folder, process_control, slurm
from mhc.runs.end_request import Terminated, raise_pending
from mhc.runs.own_folder import FolderMoved
from mhc.runs.signals import deliver_deferred, signals_ignored, signals_raise

if TYPE_CHECKING:
    from mhc.runs.live import LiveRun

log = logging.getLogger("mhc.runs")


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
            raise_pending()
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
