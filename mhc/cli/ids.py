"""Run ids on the command line: the type of an argument, completed by the shell, and the way from it to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.place import Place
from mhc.errors import MhcError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mhc.runs.rows import Row


class RunId(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """An id, its beginning or end, or a path; `row` and `folder` say which run it is."""

    name = "id"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Ids that begin so, newest first. Errors are swallowed: a shell that completes has no place for them."""
        from click.shell_completion import CompletionItem

        from mhc.cli.reading import index_of
        from mhc.runs.ids import starting_with

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
    from mhc.cli.reading import index_of
    from mhc.runs.ids import find

    return find(index_of(place), given)


def folder(place: Place, given: str) -> Path:
    """The folder of the run that a person named; errors as `row`."""
    return place.outputs / row(place, given).path
