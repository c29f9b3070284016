"""`mhc log`: what happened to the runs, in order of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.run_argument import RUN
from mhc.cli.run_options import as_json as json_option
from mhc.cli.run_options import index_of

if TYPE_CHECKING:
    from mhc.index.timeline import Happening

EVERY = 1.0
"""Seconds between two looks of --follow."""


@click.command()
@click.option("--since", metavar="WHEN", help="Such as 7d, 36h, 2026-11-01.")
@click.option("--run", "run_id", type=RUN, metavar="ID", help="Only this run.")
@click.option("--follow", is_flag=True, help="Go on and print what happens from now on, until Ctrl-C.")
@click.option("--limit", type=click.IntRange(min=0), default=50, help="The last so many; 0: all. [50]")
@json_option
@click.pass_obj
def log(place: Place, since: str | None, run_id: str | None, follow: bool, limit: int, as_json: bool) -> None:
    """Events of all runs, oldest first: registered, completed, failed, classified, archived and so on.

    Example: mhc log --since 2d
    """
    from mhc.cli.formatting import now
    from mhc.timestamps import since as moment

    start = moment(since, now()).timestamp() if since else 0.0
    happened = look(place, start, run_id, limit)
    if as_json:
        from mhc.cli.output import show_json

        show_json([event._asdict() for event in happened])
        return
    show_events(happened, place, header=True)
    if follow:
        follow_on(lambda after: look(place, after, run_id, 0), happened, place)


def look(place: Place, since: float, run_id: str | None, limit: int) -> list[Happening]:
    """Events after a time, of one run or of all.

    Raises:
        NotFound, Conflict: where no run, or more than one, fits the id.
    """
    from mhc.index.resolve import find
    from mhc.index.timeline import events

    index = index_of(place)
    return events(index, since, find(index, run_id) if run_id else None, limit)


def follow_on(look_after: Callable[[float], list[Happening]], told: list[Happening], place: Place) -> None:
    """Print what is new, every second, until Ctrl-C."""
    from mhc.cli.formatting import now

    last = max((event.time for event in told), default=now().timestamp())
    known = set(told)
    while True:
        time.sleep(EVERY)
        fresh = [event for event in look_after(last - 60) if event not in known and event.time >= last - 60]
        known.update(fresh)
        last = max([last, *(event.time for event in fresh)])
        show_events(fresh, place, header=False)


def show_events(happened: list[Happening], place: Place, *, header: bool) -> None:
    """Print one line an event."""
    from mhc.cli.formatting import when
    from mhc.cli.output import STATUS_STYLES, Cell, Column, remark, show

    if not happened:
        if header:
            remark(f"Nothing happened in {place.outputs} in that time.")
        return
    columns = (
        Column("at (UTC)"),
        Column("run", least=22, middle=True),
        Column("what", least=10),
        Column("why", least=12),
        Column("by", rank=1),
    )
    lines = [
        (
            Cell(when(event.at)[:19], "dim"),
            event.run,
            Cell(event.what, STATUS_STYLES.get(event.what, "")),
            event.why,
            event.by,
        )
        for event in happened
    ]
    show(columns, lines, header=header)
