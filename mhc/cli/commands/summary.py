"""`mhc summary`: the state of all runs on half a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.run_options import as_json as json_option
from mhc.cli.run_options import index_of

if TYPE_CHECKING:
    from mhc.index.summary import Summary


@click.command()
@json_option
@click.pass_obj
def summary(place: Place, as_json: bool) -> None:
    """Count the runs by status, category and place; name the running, the best, and what needs a look.

    Example: mhc summary
    """
    from mhc.cli.output import say
    from mhc.index.summary import sentences, summary_of

    index = index_of(place)
    state = summary_of(index)
    if as_json:
        from mhc.cli.output import show_json

        show_json(as_record(state))
        return
    for sentence in sentences(state):
        say(sentence)


def as_record(state: Summary) -> dict[str, object]:
    """The summary as `--json` gives it."""
    return {
        "total": state.total,
        "status": state.by_status,
        "category": state.by_category,
        "location": state.by_location,
        "candidates": state.candidates,
        "running": [row.id for row in state.running],
        "best": [row.id for row in state.best],
        "unreadable": {row.path: row.error for row in state.unreadable},
    }
