"""`mhc log`: what happened to the runs, in order of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.run_argument import RUN
from mhc.cli.run_options import json_option, open_index

if TYPE_CHECKING:
    from mhc.index.timeline import TimelineEvent

FOLLOW_INTERVAL = 1.0
"""Seconds between two reads of --follow."""
FOLLOW_OVERLAP = 60.0
"""Seconds before the last event that are read again, so that events that are written late are not missed."""


@click.command("log")
@click.option("--since", metavar="WHEN", help="Such as 7d, 36h, 2026-11-01.")
@click.option("--run", "run_id", type=RUN, metavar="ID", help="Only this run.")
@click.option("--follow", is_flag=True, help="Continue to print new events until Ctrl-C.")
@click.option("--limit", type=click.IntRange(min=0), default=50, help="Number of latest events; 0: all. [50]")
@json_option
@click.pass_obj
def log_command(
    context: Context, *, since: str | None, run_id: str | None, follow: bool, limit: int, as_json: bool
) -> None:
    """Show the events of all runs, oldest first: registered, completed, failed, classified, archived and so on.

    Example: mhc log --since 2d
    """
    from mhc.cli.output import show_json
    from mhc.timestamps import now, parse_time_option

    start = parse_time_option(since, now()).timestamp() if since else 0.0
    events = read_events(context, start, run_id, limit)
    if as_json:
        show_json([event._asdict() for event in events])
        return
    show_events(events, context, header=True)
    if follow:
        follow_events(lambda start: read_events(context, start, run_id, 0), events, context)


def read_events(context: Context, since: float, run_id: str | None, limit: int) -> list[TimelineEvent]:
    """Return the events after a time (Unix seconds), of one run or of all.

    Raises:
        NotFound: if no run fits the id.
        Conflict: if several runs fit the id.
    """
    from mhc.index.resolve import find
    from mhc.index.timeline import events

    index = open_index(context)
    return events(index, since, find(index, run_id) if run_id else None, limit)


def follow_events(
    read_since: Callable[[float], list[TimelineEvent]], printed: list[TimelineEvent], context: Context
) -> None:
    """Print new events every second, until Ctrl-C."""
    from mhc.timestamps import now

    last = max((event.time for event in printed), default=now().timestamp())
    old = set(printed)
    while True:
        time.sleep(FOLLOW_INTERVAL)
        start = last - FOLLOW_OVERLAP
        new = [event for event in read_since(start) if event not in old and event.time >= start]
        old.update(new)
        last = max([last, *(event.time for event in new)])
        show_events(new, context, header=False)


def show_events(events: list[TimelineEvent], context: Context, *, header: bool) -> None:
    """Print one line per event."""
    from mhc.cli.output import STATUS_STYLES, Column, remark, show_table
    from mhc.report.formatting import format_time
    from mhc.report.tables import Cell

    if not events:
        if header:
            remark(f"Nothing happened in {context.outputs} in that time.")
        return
    columns = (
        Column("at (UTC)"),
        Column("run", min_width=22, cut_middle=True),
        Column("what", min_width=10),
        Column("why", min_width=12),
        Column("by", drop_rank=1),
    )
    rows = [
        (
            Cell(format_time(event.at)[:19], "dim"),
            event.run,
            Cell(event.what, STATUS_STYLES.get(event.what, "")),
            event.why,
            event.by,
        )
        for event in events
    ]
    show_table(columns, rows, header=header)
