"""`mhc summary`: the state of all runs on half a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.run_options import json_option, open_index, warn_repeated

if TYPE_CHECKING:
    from mhc.index.summary import Summary


@click.command("summary")
@json_option
@click.pass_obj
def summary_command(context: Context, *, as_json: bool) -> None:
    """Count the runs by status, category and location; list the running and the best runs, and the problems.

    Example: mhc summary
    """
    from mhc.cli.output import echo, show_json
    from mhc.index.summary import sentences, summary_of

    index = open_index(context)
    summary = summary_of(index)
    if as_json:
        show_json(summary_record(summary))
        return
    for sentence in sentences(summary):
        echo(sentence)
    warn_repeated(index)


def summary_record(summary: Summary) -> dict[str, object]:
    """Return the summary as `--json` prints it."""
    return {
        "total": summary.total,
        "status": summary.by_status,
        "category": summary.by_category,
        "location": summary.by_location,
        "candidates": summary.candidates,
        "running": [row.id for row in summary.running],
        "best": {data: [row.id for row in rows] for data, rows in summary.best.items()},
        "unreadable": {row.path: row.error for row in summary.unreadable},
    }
