"""Run a function in a fork of this process, which has imported the libraries already, with its output in a file."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path


def import_training() -> None:
    """Import what a training imports, so that forked trainings start at once."""
    import pytorch_lightning  # noqa: F401
    import torch
    import transformers  # noqa: F401

    import mhc.train  # noqa: F401

    torch.set_num_threads(1)


def start(main: Callable[[], object], log: Path) -> int:
    """Return the process id of a fork that calls `main`, adds its output to `log`, and ends with its exit code."""
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        redirect(log)
        code = code_of(main)
    finally:
        os._exit(code)


def redirect(log: Path) -> None:
    """Direct both streams of this process to a file, also if a test has replaced them."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def code_of(main: Callable[[], object]) -> int:
    """Call `main` and return the exit code that the interpreter would end with."""
    try:
        main()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        traceback.print_exc()
        return 3
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def train(words: Sequence[str]) -> None:
    """Run `python -m mhc.train` with these words in this process, and end it."""
    import mhc.train

    sys.argv = ["mhc.train", *words]
    mhc.train.main()


def wait(pid: int, timeout: float) -> int | None:
    """Return the exit code of a child, negative for a signal; None if it had to be killed after `timeout` seconds."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None
