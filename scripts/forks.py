"""Run a function in a fork of this process, which has imported the libraries already, with its output in a file."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

LIBRARIES = (
    "accelerate", "datasketch", "detect_secrets.core.scan", "pytorch_lightning", "requests", "sklearn.linear_model",
    "sklearn.model_selection", "torch.distributed.fsdp", "transformers.models.bert.modeling_bert",
)  # fmt: skip
"""What trainings and predictions import, some of it only when they need it."""
PROJECT = ("mhc", "callbacks")
"""Packages of which every module is imported."""


def import_training() -> None:
    """Import what a training imports, so that forked trainings start at once."""
    import torch

    for name in LIBRARIES:
        importlib.import_module(name)
    for name in PROJECT:
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            import_if_possible(module.name)
    torch.set_num_threads(1)


def import_if_possible(name: str) -> None:
    """Import a module of this project, unless a library that it needs is not installed."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith(PROJECT):
            raise


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
