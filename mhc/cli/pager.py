"""Long output through the user's pager, as git does it."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from shutil import which

from mhc.cli.output import on_terminal


class _PagerInput(io.TextIOWrapper):
    """The input of a pager that shows what it reads on a terminal, so tables are fitted and coloured for one."""

    def isatty(self) -> bool:
        return True


@contextmanager
def paged() -> Iterator[None]:
    """On a terminal, pass what is printed through the program of PAGER (default `less`), which can be left at any time.

    `less` ends at once if the page fits the screen. Without such a program, or if PAGER is empty, print directly.
    """
    program: list[str] = []
    with suppress(ValueError):  # a quote in PAGER that nothing closes
        program = shlex.split(os.environ.get("PAGER", "less"))
    if not on_terminal() or not program or which(program[0]) is None:
        yield
        return
    pager = subprocess.Popen(program, stdin=subprocess.PIPE, env={"LESS": "FRX"} | dict(os.environ))
    assert pager.stdin is not None, "it was asked for"
    terminal, sys.stdout = sys.stdout, _PagerInput(pager.stdin, encoding="utf-8", errors="replace")
    try:
        yield
    except BrokenPipeError:
        pass  # the reader has left
    finally:
        with suppress(BrokenPipeError):
            sys.stdout.close()
        sys.stdout = terminal
        pager.wait()
