"""`mhc stop`: ask a live run of this machine to end, and say how it ended."""

from __future__ import annotations

import click

from mhc.cli.context import Place
from mhc.cli.output import say
from mhc.cli.run_argument import RUN, folders_of


@click.command()
@click.argument("run", type=RUN, metavar="RUN")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, help="Seconds to wait for its end. [60]")
@click.option("--dry-run", is_flag=True, help="Say what would be stopped, and send nothing.")
@click.pass_obj
def stop(place: Place, run: str, wait: float, dry_run: bool) -> None:
    """Ask a live run of this machine to end (SIGTERM), and say how it ended.

    Example: mhc stop attention_20261120
    """
    from mhc.policy import load
    from mhc.runs import process_control, store

    (folder,) = folders_of(place, [run])
    record, liveness = store.read(folder), load(place.policy).liveness
    if dry_run:
        process = process_control.must_be_stoppable(record, folder, liveness)
        say(f"{folder.name}: would ask process {process.pid} to end")
        return
    ended = process_control.stop(record, folder, liveness, wait)
    if ended is None:
        say(f"{folder.name}: asked to end, but still at work after {wait:g} s; it may be writing a checkpoint")
        click.get_current_context().exit(1)
    say(f"{folder.name}: {ended.status.value}{f' ({ended.status_reason})' if ended.status_reason else ''}")
