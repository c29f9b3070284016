"""`mhc tensorboard`: start TensorBoard on selected runs, with readable names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import echo, warn
from mhc.cli.run_argument import RUN, find_rows
from mhc.cli.run_options import open_index
from mhc.errors import NotFound

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row


@click.command("tensorboard")
@click.argument("ids", nargs=-1, type=RUN, metavar="[RUN...]")
@click.option("--port", type=click.IntRange(0, 65535), default=6006, help="0: any free port. [6006]")
@click.option("--host", default="localhost", help="[localhost]")
@click.option("--dry-run", is_flag=True, help="Print the command and the names, and start nothing.")
@click.pass_obj
def tensorboard_command(context: Context, *, ids: Sequence[str], port: int, host: str, dry_run: bool) -> None:
    """Start TensorBoard on these runs only; without ids, on all runs that are not archived.

    Example: mhc tensorboard attention_20261120 --dry-run
    """
    from mhc.index.tensorboard import boards_of, linked

    index = open_index(context)
    boards, without_logs = boards_of(index, find_rows(index, ids) if ids else active_rows(index))
    for board in boards:
        echo(f"{board.name}: {board.logs}")
    if without_logs and ids:
        warn(f"Without TensorBoard logs: {', '.join(row.id for row in without_logs)}")
    if dry_run:
        echo(" ".join(server_command(Path("<folder of links>"), host, port)))
        return
    with linked(boards) as folder:
        serve(server_command(folder, host, port))


def active_rows(index: Index) -> list[Row]:
    """Return all runs that are not archived, newest first.

    Raises:
        NotFound: if there are none.
    """
    rows = [row for row in index.rows() if row.location == "active"]
    if not rows:
        raise NotFound(f"There are no runs in {index.outputs} yet. Make one with: make train")
    return rows


def server_command(logs: Path, host: str, port: int) -> list[str]:
    """Return the command that starts TensorBoard."""
    return [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--host", host, "--port", str(port)]


def serve(command: Sequence[str]) -> None:
    """Run TensorBoard until it ends or Ctrl-C, and exit with its exit code.

    Raises:
        NotFound: if it is not installed.
    """
    import subprocess
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise NotFound("TensorBoard is not installed. Install it with: pip install tensorboard")
    click.get_current_context().exit(subprocess.call(command))
