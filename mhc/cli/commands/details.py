"""`mhc details`: everything on record of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.run_argument import RUN
from mhc.cli.run_options import as_json as json_option

if TYPE_CHECKING:
    from pathlib import Path

    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.record import RunRecord


@click.command()
@click.argument("run_id", type=RUN, metavar="ID")
@click.option("--diff", type=RUN, metavar="OTHER", help="Show where this other run differs.")
@json_option
@click.pass_obj
def details(place: Place, run_id: str, diff: str | None, as_json: bool) -> None:
    """Everything on record of one run: why this category, why (not) a candidate, history, lineage, files.

    ID is a run's id, its beginning or end where that is enough, or the path of its folder.

    Example: mhc details attention_20261120_1200
    """
    from mhc.cli.run_options import index_of
    from mhc.index.resolve import find

    index = index_of(place)
    row = find(index, run_id)
    if diff is not None:
        from mhc.cli.commands.compare import show_comparison

        show_comparison(index, [row, find(index, diff)], as_json=as_json)
    elif as_json:
        from mhc.cli.output import show_json
        from mhc.index.selection import record_dicts

        show_json(record_dicts(index, [row]))
    else:
        show_run(place, index, row)


def show_run(place: Place, index: Index, row: Row) -> None:
    """Print the record, part by part.

    Raises:
        Unreadable: where it cannot be read.
    """
    from mhc.cli.commands import details_sections as parts
    from mhc.cli.formatting import now

    folder = index.folder(row.path)
    record = shown_record(place, folder)
    parts.heading(record, row, folder, now())
    parts.failure(record, folder)
    parts.promotion(record)
    parts.metrics(record)
    parts.data_and_model(record)
    parts.timing(record)
    parts.lineage(record)
    parts.history(record)
    parts.files(folder)


def shown_record(place: Place, folder: Path) -> RunRecord:
    """The record as it stands on disk now, with the derived status.

    Raises:
        Unreadable: where it cannot be read.
    """
    from mhc.record import Status
    from mhc.runs import store

    record = store.read(folder)
    if record.status is not Status.RUNNING:
        return record
    from mhc.runs.liveness import derived

    return derived(record, folder, place.liveness())
