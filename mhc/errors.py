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
