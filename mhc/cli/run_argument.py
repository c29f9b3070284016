"""Runs on the command line: the type of the argument, completion by the shell, and the way from an id to a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc import user_text
from mhc.cli.context import Context
from mhc.errors import MhcError, Refused

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mhc.index.index import Index
    from mhc.index.rows import Row

UNKNOWN_USER = "somebody"
"""Recorded if the system has no name for the user; existing histories contain it."""


class RunId(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """An id, its beginning or end, or a path; `find_folder` and `find_folders` resolve it."""

    name = "id"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the ids that begin with `incomplete`, newest first.

        Errors are discarded, because a shell that completes cannot show them.
        """
        from click.shell_completion import CompletionItem

        from mhc.cli.run_options import open_index

        options = ctx.find_root().params
        context = Context.from_options(
            options.get("outputs"), options.get("models"), options.get("policy") or "default", Path.cwd()
        )
        try:
            ids = open_index(context).ids_starting_with(incomplete)
        except MhcError:
            return []
        return [CompletionItem(name) for name in ids if name.isprintable()]


RUN = RunId()
"""Type of an argument or option that names a run: `@click.argument("run_id", type=RUN)`."""
runs_argument = click.argument("ids", nargs=-1, required=True, type=RUN, metavar="RUN...")
"""One or more runs."""


def find_folder(context: Context, run_id: str) -> Path:
    """Return the folder of a run.

    Raises:
        NotFound: if no run fits; suggests similar ids.
        Conflict: if several runs fit; lists them.
    """
    from mhc.cli.run_options import open_index
    from mhc.index.resolve import find

    return context.outputs / find(open_index(context), run_id).path


def find_folders(context: Context, run_ids: Iterable[str]) -> list[Path]:
    """Return the folder of each run, once, in the given order, for a command that changes them.

    All ids are resolved before the caller changes anything.

    Raises:
        NotFound: if no run fits an id; suggests similar ids.
        Conflict: if several runs fit an id; lists them.
        Refused: if an id belongs to a bundle, which no command changes.
    """
    from mhc.cli.run_options import open_index

    index = open_index(context)
    rows = find_rows(index, run_ids)
    for row in rows:
        if row.location == "production":
            raise Refused(f"{index.folder(row.path)} is a bundle; bundles are never changed")
    return [index.folder(row.path) for row in rows]


def find_rows(index: Index, run_ids: Iterable[str]) -> list[Row]:
    """Return the row of each run in the index, once, in the given order.

    Raises:
        NotFound: if no run fits an id; suggests similar ids.
        Conflict: if several runs fit an id; lists them.
    """
    from mhc.index.resolve import find

    rows = (find(index, run_id) for run_id in run_ids)
    return list({row.path: row for row in rows}.values())


def user_name() -> str:
    """Return the name of the user, as it is recorded in the history.

    Raises:
        BadInput: if it is too long, has a control character, or is not UTF-8.
    """
    import getpass

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # the user of a container has no name
        return UNKNOWN_USER
    user_text.check_line("The name of the user (LOGNAME)", name)
    return name
