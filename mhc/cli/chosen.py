"""The run folders that typed ids mean, and who typed them: for the commands that change runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mhc.cli.place import Place
from mhc.errors import Refused


def folders_of(place: Place, ids: Iterable[str]) -> list[Path]:
    """The folder of each id, once, in the order typed. All are found before anything is done.

    Raises:
        NotFound: where an id means no run; suggests what is near.
        Conflict: where it means several; lists them.
        Refused: where it means a bundle, which nothing changes.
    """
    from mhc.cli.reading import index_of
    from mhc.runs.ids import find

    index = index_of(place)
    rows = [find(index, given) for given in ids]
    for row in rows:
        if row.location == "production":
            raise Refused(f"{index.folder(row.path)} is a bundle; bundles are never changed.")
    return list(dict.fromkeys(index.folder(row.path) for row in rows))


def who() -> str:
    """The person at the keyboard, as the history names them."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"
