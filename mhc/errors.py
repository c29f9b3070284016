"""The errors that users see: one tree, handled in one place (`mhc.cli.main` and `mhc.train`).

    MhcError                 exit code 1: a sentence names the problem, the value, and what to do next
    ├── BadInput             the data, the text or the file cannot be used
    ├── BadConfig            a configuration value is invalid; names the key
    ├── NotFound             no such run, bundle, file or option
    ├── Conflict             another process or user has changed, holds or owns it
    ├── Unreadable           a record, ledger or bundle on disk is damaged or not trusted
    └── Refused              a rule forbids it (a gate, a protection)

No message ever contains the text of a sample.
"""

from __future__ import annotations

import os

from mhc import disk

BROKEN_PIPE = 141
"""Exit code of a program that SIGPIPE ended, as shells report it: the reader (`head`) closed the pipe."""


class MhcError(Exception):
    """A sentence for the user: the problem, the value, and what to do next."""


class BadInput(MhcError):
    """The data, the text or the file cannot be used."""


class BadConfig(MhcError):
    """A configuration value is invalid; the message names the key."""


class NotFound(MhcError):
    """No such run, bundle, file or option."""


class Conflict(MhcError):
    """Another process or user has changed, holds or owns it."""


class Unreadable(MhcError):
    """A record, ledger or bundle on disk is damaged or not trusted."""


class Refused(MhcError):
    """A rule forbids it: a gate, a protection."""


FILE_ERRORS = frozenset(
    {
        "_pickle.UnpicklingError",
        "msgspec.MsgspecError",
        "safetensors._safetensors_rust.SafetensorError",
        "sqlite3.Error",
        "yaml.error.YAMLError",
        "zipfile.BadZipFile",
    }
)
"""The errors of libraries that read files, by name: importing the libraries would take longer than a command."""


def sentence_of(error: Exception) -> str | None:
    """Return the sentence for an error of the machine or of a file that no other code has explained; None for a bug.

    The message of a library is left out: it may quote the data.
    """
    if isinstance(error, MhcError):
        return str(error)
    if os.environ.get("MHC_DEBUG"):  # `mhc.terminal.report` has the traceback then
        return None
    full = disk.explain(error)
    if full:
        return full
    if isinstance(error, OSError) and error.strerror:
        subject = f"{error.filename}: " if error.filename is not None else ""
        return f"{subject}{error.strerror}. Check the file, the rights of its folder and the space on its disk"
    if isinstance(error, MemoryError):
        return "The memory is not sufficient. End other programs, or use a smaller model, batch or file"
    if isinstance(error, RecursionError):
        return "A file or a value is nested too deeply. Find damaged runs with: mhc doctor"
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if isinstance(error, OSError) or names & FILE_ERRORS:
        return f"A file is damaged, or of another kind ({type(error).__name__}). Find damaged runs with: mhc doctor"
    return None
