"""The process of a parallel sweep and the processes of its jobs end together, each job with its reason on record.

Without this, a signal to the process of the sweep leaves its jobs training alone, or joblib's workers are killed before
they can record anything.
"""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import select
import shutil
import signal
import sys
import threading
import time
from typing import Any, NoReturn

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from mhc import distributed, redaction
from mhc.errors import BadConfig, Conflict
from mhc.runs.end_request import PARENT_ENDED
from mhc.runs.liveness import process_start
from mhc.runs.outcome import interruption
from mhc.terminal import quantity

log = logging.getLogger("mhc")

GRACE = 30.0
"""Seconds that a job has to record its outcome; a step of a large model, or a checkpoint, may take some of them."""
INTERVAL = 0.2
"""Seconds between two requests to end: while a job records its outcome it ignores them."""
WATCH = "end with the parent"
"""Name of the thread that waits for the end of the parent."""


class SweepProcess(Callback):
    """Hydra's callback of every sweep: its workers are asked to end, and get time for it, before they are killed."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Replace joblib's way of killing the processes of its workers."""
        if "joblib" in str(config.hydra.launcher.get("_target_")):
            from joblib.externals.loky import process_executor

            kill = process_executor.kill_process_tree

            def end(process: multiprocessing.process.BaseProcess, *args: Any, **kwargs: Any) -> None:
                end_workers()
                kill(process, *args, **kwargs)

            process_executor.kill_process_tree = end
            start_trackers()
        if "submitit" in str(config.hydra.launcher.get("_target_")):
            refuse_credentials(config)


def start_trackers() -> None:
    """Start the processes that clean up behind joblib so that a terminal that closes does not end them first.

    They ignore Ctrl-C and SIGTERM by themselves; joblib replaces one that SIGHUP has ended, and it prints tracebacks.
    """
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as tracker_of_joblib

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        resource_tracker.ensure_running()
        tracker_of_joblib.ensure_running()
    finally:
        signal.signal(signal.SIGHUP, before)


def refuse_credentials(config: DictConfig) -> None:
    """Let the launcher of SLURM refuse a config with credentials: submitit pickles it into the folder of the sweep.

    Hydra turns an error of a callback into a warning, so the launcher raises it.
    """
    key = credential_in(config)
    if key is None:
        return
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import (  # type: ignore[import-untyped]
        BaseSubmititLauncher,
    )

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        shutil.rmtree(config.hydra.sweep.dir, ignore_errors=True)  # has the plan alone, in which Hydra wrote the value
        raise BadConfig(
            f"{key} is a credential, and the jobs of a SLURM sweep are written to files as they are. Put it into an "
            f"environment variable, and refer to it: '{key}=${{oc.env:NAME}}'"
        )

    BaseSubmititLauncher.launch = refuse


def credential_in(config: DictConfig) -> str | None:
    """Return the key of a credential in the composed config or in its overrides; references are none."""
    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    overrides = values.pop("hydra")["overrides"]["task"]
    words = [word for word in overrides if redaction.override(word) != word]
    keys = [*redaction.masked_keys(redaction.values(values)), *(word.partition("=")[0].lstrip("+~") for word in words)]
    return keys[0] if keys else None


def end_workers() -> None:
    """Ask all workers of this process to end, and wait until they have, for `GRACE` seconds at most."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        workers = [pid for child in multiprocessing.active_children() if (pid := child.pid) and process_start(pid)]
        if not workers:
            return
        for pid in workers:
            _send(pid)
        time.sleep(INTERVAL)
    log.warning("%s of the sweep did not end within %.0f s; they are killed", quantity(len(workers), "job"), GRACE)


def _send(pid: int) -> None:
    try:
        os.kill(pid, PARENT_ENDED)
    except ProcessLookupError:
        log.debug("Worker %d has ended", pid)


def end_with_parent() -> None:
    """End this process, a worker of a sweep or a rank that Lightning started, when its parent ends, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent is not None else os.getppid() if distributed.RUN in os.environ else None
    if pid is not None and not any(thread.name == WATCH for thread in threading.enumerate()):
        threading.Thread(target=_end_after, args=(pid,), name=WATCH, daemon=True).start()


def _end_after(parent: int) -> NoReturn:
    """Wait until the process `parent` has ended, then ask this process to end, and end it after `GRACE` seconds."""
    try:
        handle = os.pidfd_open(parent)
    except (OSError, AttributeError):  # it has ended already, or this is not Linux
        handle = None
    while os.getppid() == parent:
        if handle is None:
            time.sleep(1.0)
        else:
            select.select([handle], [], [])
            break
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        os.kill(os.getpid(), PARENT_ENDED)
        time.sleep(INTERVAL)
    faulthandler.dump_traceback(sys.__stderr__ or 2)  # files and lines of code, no values
    os._exit(1)


def end_job(error: BaseException) -> None:
    """End the worker of a job that was interrupted, so that it does not begin another one.

    In a process that is no worker, and for an error that is no request to end, this does nothing.

    Raises:
        Conflict: if the job alone was asked to end, by SIGTERM (`mhc stop`): the sweep goes on with the others.
    """
    reason = interruption(error)
    if multiprocessing.parent_process() is None or reason is None:
        return
    if reason == signal.SIGTERM.name:
        raise Conflict("The job was stopped by SIGTERM") from error
    logging.shutdown()
    sys.stdout.flush()
    os._exit(1)  # an exception would be sent to the process of the sweep, and this process would go on
