"""Start `python -m mhc.train` and other programs as forks of one process that has imported the libraries.

Each is a process with arguments, folder, environment, streams, signals and an exit code of its own, without the seconds
in which an interpreter imports torch. A test of how a process starts uses `subprocess`.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
INHERITED = (signal.SIGINT, signal.SIGHUP)
"""Signals that a program ignores if this process does when it is started."""


@cache
def server() -> socket.socket:
    """Start the process that is forked, once per worker of pytest; it ends when the worker does."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.support.program_server", str(theirs.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | ONE_THREAD, pass_fds=[theirs.fileno()])
    atexit.register(end, process, ours)
    return ours


def end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    """End the server."""
    control.close()
    process.wait()


class Program:
    """A running program, with the methods of `subprocess.Popen`."""

    def __init__(
        self,
        *words: str,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        new_session: bool = False,
    ) -> None:
        """Start `python -m` with these words.

        Its streams are the given descriptors; without one, standard input is empty, and output and errors are pipes.
        A new session is that of the terminal that is its standard input, and ends with it.
        """
        self.words = list(words)
        self.returncode: int | None = None
        request = {
            "words": words,
            "cwd": str(cwd),
            "environment": {**os.environ, **ONE_THREAD, **(environment or {})},
            "session": new_session,
            "ignored": [number for number in INHERITED if signal.getsignal(number) is signal.SIG_IGN],
        }
        with ExitStack() as opened:
            read_out, stdout = (None, stdout) if stdout is not None else pipe(opened)
            read_err, stderr = (None, stderr) if stderr is not None else pipe(opened)
            stdin = opened.enter_context(Path(os.devnull).open()).fileno() if stdin is None else stdin
            self.connection = start(request, [stdin, stdout, stderr])
        self.stdout, self.stderr = read_out, read_err
        self.answers = self.connection.makefile()
        self.pid = int(self.answers.readline())

    def poll(self) -> int | None:
        """Return the exit code; None while the program runs."""
        running = self.returncode is None and not select.select([self.connection], [], [], 0)[0]
        return None if running else self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, which is negative for a signal."""
        if self.returncode is None:
            if not select.select([self.connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.words, timeout or 0)
            self.returncode = int(self.answers.readline())
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait, and return what is left of both streams."""
        with ThreadPoolExecutor(2) as readers:
            texts = [readers.submit(stream.read if stream else str) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.send_signal(signal.SIGKILL)
                raise
        self.close()
        out, err = (text.result() for text in texts)
        return out, err

    def send_signal(self, signum: int) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(self.pid, signum)

    def close(self) -> None:
        """Close the streams and the connection to the server."""
        for file in filter(None, (self.stdout, self.stderr, self.answers, self.connection)):
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()
        self.close()


def pipe(opened: ExitStack) -> tuple[IO[str], int]:
    """Return a stream, and the descriptor that writes to it, which is closed with `opened`."""
    read, write = os.pipe()
    opened.callback(os.close, write)
    return os.fdopen(read), write


def start(request: Mapping[str, object], streams: list[int]) -> socket.socket:
    """Send a request with its streams to the server, and return the connection to the watcher of the program."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(server(), [b"1"], [*streams, theirs.fileno()])
    ours.sendall(f"{json.dumps(request)}\n".encode())
    return ours


def run(
    *words: str, cwd: Path = ROOT, environment: Mapping[str, str] | None = None, stdin: int | None = None,
    stdout: int | None = None, timeout: float = 240,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run `python -m` with these words to its end; what goes to a descriptor `stdout` is not returned."""
    with Program(*words, cwd=cwd, environment=environment, stdin=stdin, stdout=stdout) as program:
        out, err = program.communicate(timeout)
    return subprocess.CompletedProcess(program.words, program.wait(), out, err)
