"""`mhc tensorboard`: start TensorBoard on selected runs, with readable names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mhc.cli.context import Context
from mhc.cli.output import echo, warn
from mhc.cli.run_argument import RUN, find_folders
from mhc.errors import NotFound


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

    runs = find_folders(context, ids) if ids else active_folders(context)
    boards, without_logs = boards_of(runs)
    for board in boards:
        echo(f"{board.name}: {board.logs}")
    if without_logs and ids:
        warn(f"Without TensorBoard logs: {', '.join(folder.name for folder in without_logs)}")
    if dry_run:
        echo(" ".join(server_command(Path("<folder of links>"), host, port)))
        return
    with linked(boards) as folder:
        serve(server_command(folder, host, port))


def active_folders(context: Context) -> list[Path]:
    """Return the folders of all runs that are not archived.

    Raises:
        NotFound: if there are none.
    """
    from mhc.runs import folders

    runs = [folder for folder, _ in folders.iter_runs(context.outputs, archives=False)]
    if not runs:
        raise NotFound(f"There are no runs in {context.outputs} yet. Make one with: make train")
    return runs


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
