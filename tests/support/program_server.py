"""Become `python -m mhc.train` or another program on request, in a fork of a process that has imported the libraries.

The other side of `programs.py`. A fork ends as an interpreter does that was started for the program: it waits for its
threads and calls what is registered with atexit. It only does not free the memory, which would take longer than the
program.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import sys
import termios
from typing import Any

from scripts import forks

STREAMS = 3
"""Descriptors of a request: standard input, output and error; the connection follows them."""


def main(control: socket.socket) -> None:
    """Serve until the tests end; in a fork, run its program."""
    ending = Ending()
    atexit.register(ending)  # before the imports: what is registered first is called last
    forks.import_training()
    request = next_request(control)
    if request is not None:
        prepare(request)
        ending.code = run_module(request["words"][0])


def next_request(control: socket.socket) -> dict[str, Any] | None:
    """Fork a program per connection, and return its request in the fork; return None after the last one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing waits for the watchers
    gc.freeze()
    while True:
        content, descriptors, _, _ = socket.recv_fds(control, 1, STREAMS + 1)
        if not content:
            return None
        if os.fork() == 0:
            control.close()
            return watched(socket.socket(fileno=descriptors.pop()), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def watched(connection: socket.socket, descriptors: list[int]) -> dict[str, Any]:
    """Return the request in a fork of this process, which writes the fork's process id and exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request: dict[str, Any] = json.loads(connection.makefile().readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        return request
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


class Ending:
    """The end of this process with the exit code of its program; without one, the interpreter ends it."""

    code: int | None = None

    def __call__(self) -> None:
        """End the process."""
        if self.code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.code)


def prepare(request: dict[str, Any]) -> None:
    """Give this process what `python -m` with the words of the request would have."""
    if request["session"]:
        os.setsid()
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdin = sys.__stdin__ = os.fdopen(0)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", buffering=1 if os.environ.get("PYTHONUNBUFFERED") else -1)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
    name, *sys.argv[1:] = request["words"]
    sys.orig_argv = [sys.executable, "-m", *request["words"]]
    sys.path.insert(0, request["cwd"])
    sys.modules.pop(name, None)


def run_module(name: str) -> int:
    """Run the module as the main program, and return its exit code."""
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return 0


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
