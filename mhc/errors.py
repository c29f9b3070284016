"""The errors a person meets. One tree, one handler (`mhc.cli.main` and `mhc.train`), each message one sentence.

    MhcError                 exit code 1: a sentence says what is wrong, the value, and what to do next
    ├── BadInput             the data, the text or the file given cannot be used
    ├── BadConfig            a configuration value does not fit; names the key
    ├── NotFound             no such run, bundle, file or option
    ├── Conflict             somebody else changed, holds or owns it
    ├── Unreadable           a record, ledger or bundle on disk cannot be believed
    └── Refused              a rule forbids it (a gate, a protection)

No message ever holds the text of a sample.
"""


class MhcError(Exception):
    """A sentence for the person at the terminal: what is wrong, the value, what to do next."""


class BadInput(MhcError):
    """The data, the text or the file given cannot be used."""


class BadConfig(MhcError):
    """A configuration value does not fit; the message names the key."""


class NotFound(MhcError):
    """No such run, bundle, file or option."""


class Conflict(MhcError):
    """Somebody else changed, holds or owns it."""


class Unreadable(MhcError):
    """A record, ledger or bundle on disk cannot be believed."""


class Refused(MhcError):
    """A rule forbids it: a gate, a protection."""
