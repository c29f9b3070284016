"""The door of `python -m mhc.train`, `mhc.predict` and `mhc.evaluate`: errors become one sentence and an exit code.

0 done, 1 a sentence told you why not, 2 usage, 3 a bug (with a report to paste), 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from mhc.errors import MhcError
from mhc.runs.signals import Terminated
from mhc.terminal import clean_lines, report


def leave(main: Callable[[], object]) -> NoReturn:
    """Carry out `main` and end the process with the exit code of how it went."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra hands errors over instead of printing and exiting itself
    sys.exit(code_of(main))


def code_of(main: Callable[[], object]) -> int:
    """Carry out `main`, say on stderr what a person must know, and return the exit code."""
    try:
        main()
    except KeyboardInterrupt:
        return say("Interrupted by Ctrl-C.", 130)
    except Terminated as error:
        return say(f"Ended by {error}.", error.code)
    except SystemExit as error:
        return code_of_exit(error)
    except Exception as error:
        return code_of_error(error)
    return 0


def code_of_error(error: Exception) -> int:
    """Say what went wrong: a sentence where one is known, else a report to paste."""
    if isinstance(error, MhcError):
        return say(str(error), 1)
    sentence = usage(error)
    return say(sentence, 2) if sentence else say(report(error), 3)


def code_of_exit(error: SystemExit) -> int:
    """Return 130 for a Ctrl-C that Lightning turned into exit(1), else the code that was asked for."""
    if isinstance(error.__context__, KeyboardInterrupt):
        return say("Interrupted by Ctrl-C.", 130)
    if isinstance(error.code, str):
        return say(error.code, 1)
    return error.code or 0


def usage(error: Exception) -> str | None:
    """Return the sentence for an error in what was typed or in a YAML; None for any other error."""
    try:
        from hydra.errors import HydraException
        from omegaconf.errors import OmegaConfBaseException
    except ImportError:
        return None
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    from mhc.training.config_errors import explain

    return explain(error, sys.argv[1:])


def say(sentence: str, code: int) -> int:
    """Write to stderr, without anything that could steer a terminal."""
    sys.stderr.write(clean_lines(sentence).rstrip("\n") + "\n")
    return code
