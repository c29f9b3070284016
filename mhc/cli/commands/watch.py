"""`mhc watch`: a live view of what is running."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.formatting import NOTHING, duration, now, score
from mhc.cli.output import Cell, Column, remark, show, status_cell
from mhc.cli.output import Row as Line
from mhc.cli.run_options import as_json as json_option
from mhc.cli.run_options import index_of

if TYPE_CHECKING:
    from mhc.index.index import Index
    from mhc.index.rows import Row

COLUMNS = (
    Column("id", least=22, middle=True),
    Column("status"),
    Column("for", right=True),
    Column("epoch", right=True),
    Column("left", right=True),
    Column("last said", least=12),
)


@click.command()
@click.option("--every", type=click.FloatRange(min=0.2), default=2.0, metavar="SECONDS", help="Between two looks. [2]")
@click.option("--once", is_flag=True, help="Look once and end.")
@json_option
@click.pass_obj
def watch(place: Place, every: float, once: bool, as_json: bool) -> None:
    """Live view of the runs that are running: progress, last metrics, time left. Ends with the last run, or Ctrl-C.

    Example: mhc watch --once
    """
    index = index_of(place)
    running = index.rows("shown = 'running'")
    if as_json:
        from mhc.cli.output import show_json
        from mhc.index.selection import record_dicts

        show_json(record_dicts(index, running))
    elif once or not running:
        look(index, running)
    else:
        follow(place, [row.path for row in running], every)


def look(index: Index, rows: list[Row]) -> None:
    """Print the runs as they are now."""
    if rows:
        show(COLUMNS, [line(index, row, now()) for row in rows])
    else:
        remark(f"Nothing is running in {index.outputs}.")


def follow(place: Place, paths: list[str], every: float) -> None:
    """Look again and again until none of the runs is running; runs that start meanwhile join them."""
    from mhc.cli.output import live

    with live() as draw:
        while True:
            index = index_of(place)
            rows = index.rows("shown = 'running'")
            paths = list(dict.fromkeys([*(row.path for row in rows), *paths]))
            ended = [row for path in paths for row in index.rows("path = ? AND shown <> 'running'", [path])]
            draw(COLUMNS, [line(index, row, now()) for row in [*rows, *ended]])
            if not rows:
                return
            time.sleep(every)


def line(index: Index, row: Row, at: datetime) -> Line:
    """One run as the cells of COLUMNS."""
    from datetime import UTC

    from mhc.index.selection import lasted
    from mhc.report.progress_line import progress, time_left

    if row.shown != "running":
        said = f"macro-F1 {score(row.f1_macro)}" if row.f1_macro is not None else row.reason
        return (row.id, status_cell(row.shown), duration(row.duration), NOTHING, NOTHING, said)
    here = progress(index.folder(row.path))
    begun = row.created if row.started is None else row.started
    started = datetime.fromtimestamp(begun, UTC) if begun is not None else at
    return (
        row.id,
        status_cell(row.shown),
        duration(lasted(row, at)),
        f"{here.done}/{here.total}" if here else NOTHING,
        duration(time_left(here, started, at)) if here else NOTHING,
        here.facts if here else Cell("first epoch", "dim"),
    )
