"""Run ids on the command line: the argument's type, completion by the shell, and the way from an id to a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.errors import MhcError, Refused

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mhc.index.rows import Row


class RunId(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """An id, its beginning or end, or a path; `row` and `folder` say which run it is."""

    name = "id"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Ids that begin so, newest first. Errors are swallowed: a shell that completes has no place for them."""
        from click.shell_completion import CompletionItem

        from mhc.cli.run_options import index_of
        from mhc.index.resolve import starting_with

        said = ctx.find_root().params
        place = Place.choose(said.get("outputs"), said.get("models"), said.get("policy") or "default", Path.cwd())
        try:
            names = starting_with(index_of(place), incomplete)
        except MhcError:
            return []
        return [CompletionItem(name) for name in names if name.isprintable()]


RUN = RunId()
"""`@click.argument("run_id", type=RUN)`."""


def row(place: Place, given: str) -> Row:
    """The run that a person named, as the index keeps it.

    Raises:
        NotFound, Conflict: where no run, or more than one, fits.
    """
    from mhc.cli.run_options import index_of
    from mhc.index.resolve import find

    return find(index_of(place), given)


def folder(place: Place, given: str) -> Path:
    """The folder of the run that a person named; errors as `row`."""
    return place.outputs / row(place, given).path


def folders_of(place: Place, ids: Iterable[str]) -> list[Path]:
    """The folder of each id, once, in the order typed. All are found before anything is done.

    Raises:
        NotFound: where an id means no run; suggests what is near.
        Conflict: where it means several; lists them.
        Refused: where it means a bundle, which nothing changes.
    """
    from mhc.cli.run_options import index_of
    from mhc.index.resolve import find

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
