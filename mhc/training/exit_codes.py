"""Entry point of `python -m mhc.train`, `mhc.predict` and `mhc.evaluate`: errors become a sentence and an exit code.

0 done, 1 failed for the reason in the sentence, 2 usage, 3 a bug (with a report to paste), 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from mhc.errors import MhcError, sentence_of
from mhc.runs.signals import Terminated
from mhc.terminal import clean_lines, report

INTERRUPTED = "Interrupted by Ctrl-C"


def run_and_exit(main: Callable[[], object]) -> NoReturn:
    """Call `main` and end the process with the exit code of its outcome."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra raises errors instead of printing them and exiting
    sys.exit(code_of(main))


def code_of(main: Callable[[], object]) -> int:
    """Call `main`, write its error to stderr, and return the exit code."""
    try:
        main()
    except KeyboardInterrupt:
        return write_stderr(INTERRUPTED, 130)
    except Terminated as error:
        return write_stderr(f"Ended by {error}", error.code)
    except SystemExit as error:
        return code_of_exit(error)
    except Exception as error:
        return code_of_error(error)
    return 0


def code_of_error(error: Exception) -> int:
    """Write the sentence of an expected error, or a report of a bug, and return the exit code."""
    misuse = None if isinstance(error, MhcError) else usage(error)  # before: Hydra's errors are OSErrors, too
    if misuse:
        return write_stderr(misuse, 2)
    sentence = sentence_of(error)
    return write_stderr(report(error), 3) if sentence is None else write_stderr(sentence, 1)


def code_of_exit(error: SystemExit) -> int:
    """Return 130 for a Ctrl-C that Lightning turned into exit(1), else the code of the exit."""
    if isinstance(error.__context__, KeyboardInterrupt):
        return write_stderr(INTERRUPTED, 130)
    if isinstance(error.code, str):
        return write_stderr(error.code, 1)
    return error.code or 0


def usage(error: Exception) -> str | None:
    """Return the sentence for an error in the command line or in a YAML; None for any other error."""
    try:
        from hydra.errors import HydraException
        from omegaconf.errors import OmegaConfBaseException
    except ImportError:
        return None
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    from mhc.training.config_errors import explain

    return explain(error, sys.argv[1:])


def write_stderr(sentence: str, code: int) -> int:
    """Write a sentence to stderr without terminal control characters, and return `code`."""
    sys.stderr.write(clean_lines(sentence).rstrip("\n") + "\n")
    return code
