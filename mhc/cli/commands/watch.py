"""`mhc watch, stop`: a live view of the running runs; ask one of this machine to stop."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import Column, TableRow, echo, live_table, remark, show_json, show_table, status_cell
from mhc.cli.run_argument import RUN, find_folders
from mhc.cli.run_options import json_option, open_index
from mhc.report.formatting import format_duration
from mhc.report.tables import MISSING, Cell, score
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row

COLUMNS = (
    Column("id", min_width=22, cut_middle=True),
    Column("status"),
    Column("for", right=True),
    Column("epoch", right=True),
    Column("left", right=True),
    Column("last report", min_width=12),
)


@click.command("watch")
@click.option(
    "--every", "interval", type=click.FloatRange(min=0.2), default=2.0, metavar="SECONDS", help="Refresh interval. [2]"
)
@click.option("--once", is_flag=True, help="Print the current state and exit.")
@json_option
@click.pass_obj
def watch_command(context: Context, *, interval: float, once: bool, as_json: bool) -> None:
    """Show a live view of the running runs: progress, last metrics, time left. Ends with the last run, or Ctrl-C.

    Example: mhc watch --once
    """
    from mhc.index.records import record_dicts

    index = open_index(context)
    running = index.running()
    if as_json:
        show_json(record_dicts(index, running))
    elif not running:
        remark(f"Nothing is running in {context.outputs}.")
    elif once:
        show_table(COLUMNS, [run_cells(index, row, now()) for row in running])
    else:
        follow_runs(context, [row.path for row in running], interval)


def follow_runs(context: Context, paths: list[str], interval: float) -> None:
    """Refresh the table until no run is running; runs that start in the meantime are added."""
    with live_table() as draw:
        while True:
            index = open_index(context)
            running = index.running()
            paths = list(dict.fromkeys([*(row.path for row in running), *paths]))
            ended = [row for path in paths for row in index.at_paths([path]) if row.shown != "running"]
            draw(COLUMNS, [run_cells(index, row, now()) for row in [*running, *ended]])
            if not running:
                return
            time.sleep(interval)


def run_cells(index: Index, row: Row, now: datetime) -> TableRow:
    """Return the cells of COLUMNS."""
    from mhc.index.records import duration_of
    from mhc.report.progress_line import read_progress, time_left

    if row.shown != "running":
        scores = f"macro-F1 val {score(row.val_f1_macro)}, test {score(row.f1_macro)}"
        result = row.reason if row.val_f1_macro is None and row.f1_macro is None else scores
        return (row.id, status_cell(row.shown), format_duration(row.duration), MISSING, MISSING, result)
    progress = read_progress(index.folder(row.path))
    start = row.created if row.started is None else row.started
    started = datetime.fromtimestamp(start, UTC) if start is not None else now
    return (
        row.id,
        status_cell(row.shown),
        format_duration(duration_of(row, now)),
        f"{progress.done}/{progress.total}" if progress else MISSING,
        format_duration(time_left(progress, started, now)) if progress else MISSING,
        progress.facts if progress else Cell("first epoch", "dim"),
    )


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
