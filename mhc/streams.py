"""The standard streams of a process: a full disk or a closed terminal behind them is not confused with other disks.

Standard error has remarks, and the whole output of a training is remarks, too: its record has what matters. A remark
that cannot be written is lost, and ends no command. The output of any other command is its result, so the command
fails if it cannot be written.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from mhc.errors import BROKEN_PIPE, BadInput


class Remarks(io.TextIOWrapper):
    """A stream that loses what cannot be written."""

    def write(self, text: str, /) -> int:
        """Write a text, and return its length."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with suppress(OSError):
            super().flush()


class Result(io.TextIOWrapper):
    """A stream whose errors are those of the output of the command."""

    def write(self, text: str, /) -> int:
        """Write a text, and return its length.

        Raises:
            BadInput: if it cannot be written.
            BrokenPipeError: if the reader has closed the pipe.
        """
        try:
            return super().write(text)
        except OSError as error:
            raise output_error(error) from None

    def flush(self) -> None:
        """Write what is buffered.

        Raises:
            BadInput: if it cannot be written.
            BrokenPipeError: if the reader has closed the pipe.
        """
        try:
            super().flush()
        except OSError as error:
            raise output_error(error) from None


def output_error(error: OSError) -> BrokenPipeError | BadInput:
    """Return the error of a command whose output cannot be written."""
    if isinstance(error, BrokenPipeError):
        return BrokenPipeError("the reader has closed the pipe")  # without its number, for which click exits with 1
    return BadInput(
        f"The output of the command cannot be written: {error.strerror or type(error).__name__}. Direct it elsewhere"
    )


def finish_output() -> None:
    """Write what is buffered of the output, or discard it, so that the interpreter does not try it again at its end.

    Raises:
        BadInput: if it cannot be written.
        SystemExit: if the reader has closed the pipe.
    """
    try:
        sys.stdout.flush()
    except (BadInput, BrokenPipeError) as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(BROKEN_PIPE)
        raise


def finish_silently() -> None:
    """Do the same for a command that has failed and has stated why."""
    with suppress(BadInput, SystemExit):
        finish_output()


def replace(*, result: bool) -> None:
    """Replace the standard streams of this process, unless a program that embeds it has done so.

    Args:
        result: whether the output is the result of the command, not remarks.
    """
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(Remarks, sys.stderr, 2)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(Result if result else Remarks, sys.stdout, 1)


def _stream(kind: type[io.TextIOWrapper], former: TextIO | None, descriptor: int) -> io.TextIOWrapper:
    """Return a stream of this kind on the descriptor; it writes to nowhere if there is none because it is closed."""
    if former is None:
        return kind(Path(os.devnull).open("wb"), encoding="utf-8")
    assert isinstance(former, io.TextIOWrapper)
    with suppress(OSError):
        former.flush()
    return kind(
        open(descriptor, "wb", 0 if former.write_through else -1, closefd=False),
        encoding=former.encoding,
        errors=former.errors,
        line_buffering=former.line_buffering,
        write_through=former.write_through,
    )
