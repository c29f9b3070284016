"""`mhc tensorboard`: start TensorBoard on chosen runs, with names that can be read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mhc.cli.context import Place
from mhc.cli.output import say, warn
from mhc.cli.run_argument import RUN, folders_of
from mhc.errors import NotFound


@click.command()
@click.argument("ids", nargs=-1, type=RUN, metavar="[RUN...]")
@click.option("--port", type=click.IntRange(0, 65535), default=6006, help="0: any free one. [6006]")
@click.option("--host", default="localhost", help="[localhost]")
@click.option("--dry-run", is_flag=True, help="Print the command and the names, and start nothing.")
@click.pass_obj
def tensorboard(place: Place, ids: Sequence[str], port: int, host: str, dry_run: bool) -> None:
    """Start TensorBoard on just these runs; without ids on all that are not archived.

    Example: mhc tensorboard attention_20261120 --dry-run
    """
    from mhc.index import tensorboard as logs
    from mhc.runs import folders

    chosen = folders_of(place, ids) if ids else [folder for folder, _ in folders.walk(place.outputs, archives=False)]
    if not chosen:
        raise NotFound(f"There are no runs in {place.outputs} yet.")
    boards, without = logs.boards_of(chosen)
    for board in boards:
        say(f"{board.name}: {board.logs}")
    if without and ids:
        warn(f"Without TensorBoard logs: {', '.join(folder.name for folder in without)}")
    if dry_run:
        say(" ".join(command(Path("<folder of links>"), host, port)))
        return
    with logs.linked(boards) as folder:
        serve(command(folder, host, port))


def command(logdir: Path, host: str, port: int) -> list[str]:
    """What is started."""
    return [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--host", host, "--port", str(port)]


def serve(words: Sequence[str]) -> None:
    """Run TensorBoard until it ends or Ctrl-C, and leave with its exit code.

    Raises:
        NotFound: it is not installed.
    """
    import subprocess
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise NotFound("TensorBoard is not installed. Install it with: pip install tensorboard")
    click.get_current_context().exit(subprocess.call(words))
