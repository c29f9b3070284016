"""Entry point of `python -m mhc.train`, `mhc.predict` and `mhc.evaluate`: errors become a sentence and an exit code.

0 done, 1 failed for the reason in the sentence, 2 usage, 3 a bug (with a report to paste), 130 Ctrl-C, 143 SIGTERM,
129 SIGHUP (the terminal was closed). A note of the error, such as the command that resumes, follows its sentence.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import NoReturn

from mhc import errors, redaction, streams
from mhc.errors import MhcError, sentence_of
from mhc.runs import user_code
from mhc.runs.signals import EndRequest, end_on_request, ignore_for_good
from mhc.terminal import clean_lines, report

INTERRUPTED = "Interrupted by Ctrl-C"
WORKER_KILLED = {
    "TerminatedWorkerError": "The process of a job was killed, most likely because the memory is not sufficient, and "
    "the jobs beside it were ended. Run fewer at a time with: hydra.launcher.n_jobs="
}
"""By the name of joblib's error, which only a parallel sweep imports."""


def run_and_exit(main: Callable[[], object], *, result: bool) -> NoReturn:
    """Call `main` and end the process with the exit code of its outcome.

    Args:
        main: the whole command.
        result: whether its output is its result, as in `mhc.streams.replace`.
    """
    streams.replace(result=result)
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra raises errors instead of printing them and exiting
    end_on_request()
    code = code_of(main)
    if code == 0:
        code = code_of(streams.finish_output)
    else:
        streams.finish_silently()
    ignore_for_good()
    sys.exit(code)


def code_of(main: Callable[[], object]) -> int:
    """Call `main`, write its error to stderr, and return the exit code."""
    try:
        main()
    except KeyboardInterrupt as error:
        return write_stderr(with_notes(INTERRUPTED, error), 130)
    except EndRequest as error:
        return write_stderr(with_notes(f"Ended by {error}", error), error.code)
    except SystemExit as error:
        return code_of_exit(error)
    except Exception as error:
        return code_of_error(error)
    return 0


def code_of_error(error: Exception) -> int:
    """Write the sentence of an expected error, or a report of a bug, and return the exit code."""
    error = unwrapped(error)
    misuse = None if isinstance(error, MhcError) else usage(error)  # before: Hydra's errors are OSErrors, too
    if misuse:
        return write_stderr(misuse, 2)
    sentence = sentence_of(error) or user_code.sentence(error) or WORKER_KILLED.get(type(error).__name__)
    return write_stderr(report(error), 3) if sentence is None else write_stderr(with_notes(sentence, error), 1)


def unwrapped(error: Exception) -> Exception:
    """Return the error of mhc that a resolver raised, such as a folder that cannot be claimed, without its wrapper.

    OmegaConf keeps only its type and message.
    """
    match = re.search(r"(\w+) raised while resolving interpolation: (.+)", str(error))
    kind = vars(errors).get(match[1]) if match else None
    return kind(match[2]) if match and isinstance(kind, type) and issubclass(kind, MhcError) else error


def code_of_exit(error: SystemExit) -> int:
    """Return 130 for a Ctrl-C that Lightning turned into exit(1), else the code of the exit."""
    if isinstance(error.__context__, KeyboardInterrupt):
        return write_stderr(with_notes(INTERRUPTED, error), 130)
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
    from mhc.training.config_errors import explain
    from mhc.training.override_errors import explain_composition, is_raised_by_hydra

    if isinstance(error, HydraException | OmegaConfBaseException):
        return explain(error, sys.argv[1:])
    return explain_composition(sys.argv[1:]) if is_raised_by_hydra(error) else None


def with_notes(sentence: str, error: BaseException) -> str:
    """Return the sentence with the notes of the error as further sentences."""
    return ". ".join([sentence, *getattr(error, "__notes__", ())])


def write_stderr(sentence: str, code: int) -> int:
    """Write a sentence to stderr, without terminal control characters and with credentials masked; return `code`."""
    sys.stderr.write(clean_lines(redaction.text(sentence)).rstrip("\n") + "\n")
    return code
