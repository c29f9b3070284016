"""The run folders that typed ids mean, and who typed them: for the commands that change runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mhc.cli.place import Place


def folders_of(place: Place, ids: Iterable[str]) -> list[Path]:
    """The folder of each id, once, in the order typed. All are found before anything is done.

    Raises:
        NotFound: where an id means no run; suggests what is near.
        Conflict: where it means several; lists them.
    """
    from mhc.runs import folders

    return list(dict.fromkeys(folders.find(place.outputs, prefix) for prefix in ids))


def who() -> str:
    """The person at the keyboard, as the history names them."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"
