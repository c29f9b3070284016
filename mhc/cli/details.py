"""`mhc details`: everything on record of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.ids import RUN
from mhc.cli.place import Place
from mhc.cli.reading import as_json as json_option

if TYPE_CHECKING:
    from pathlib import Path

    from mhc.runs.index import Index
    from mhc.runs.record import RunRecord
    from mhc.runs.rows import Row


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
    from mhc.cli.reading import index_of
    from mhc.runs.ids import find

    index = index_of(place)
    row = find(index, run_id)
    if diff is not None:
        from mhc.cli.compare import show_comparison

        show_comparison(index, [row, find(index, diff)], as_json=as_json)
    elif as_json:
        from mhc.cli.as_json import show_json
        from mhc.runs.lookup import record_dicts

        show_json(record_dicts(index, [row]))
    else:
        show_run(place, index, row)


def show_run(place: Place, index: Index, row: Row) -> None:
    """Print the record, part by part.

    Raises:
        Unreadable: where it cannot be read.
    """
    from mhc.cli import details_parts as parts
    from mhc.cli.units import now

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
    from mhc.runs import store
    from mhc.runs.record import Status

    record = store.read(folder)
    if record.status is not Status.RUNNING:
        return record
    from mhc.runs.liveness import derived

    return derived(record, folder, place.liveness())
