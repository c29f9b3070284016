"""`mhc stop`: ask a live run of this machine to stop, and print its final status."""

from __future__ import annotations

import click

from mhc.cli.context import Context
from mhc.cli.output import echo
from mhc.cli.run_argument import RUN, find_folders


@click.command("stop")
@click.argument("run_id", type=RUN, metavar="RUN")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, help="Seconds to wait for its end. [60]")
@click.option("--dry-run", is_flag=True, help="Print what would be stopped, and send no signal.")
@click.pass_obj
def stop_command(context: Context, *, run_id: str, wait: float, dry_run: bool) -> None:
    """Ask a live run of this machine to stop (SIGTERM), and print its final status.

    Example: mhc stop attention_20261120
    """
    from mhc.runs import process_control, store

    (folder,) = find_folders(context, [run_id])
    record, liveness = store.read(folder), context.liveness()
    if dry_run:
        process = process_control.must_be_stoppable(record, folder, liveness)
        echo(f"{folder.name}: would ask process {process.pid} to stop")
        return
    ended = process_control.stop(record, folder, liveness, wait)
    if ended is None:
        echo(f"{folder.name}: asked to stop, but still running after {wait:g} s; it may be writing a checkpoint")
        click.get_current_context().exit(1)
    echo(f"{folder.name}: {ended.status.value}{f' ({ended.status_reason})' if ended.status_reason else ''}")
