"""`mhc details`: the whole record of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.run_argument import RUN
from mhc.cli.run_options import json_option

if TYPE_CHECKING:
    from pathlib import Path

    from mhc.index.index import Index
    from mhc.index.rows import Row
    from mhc.record import RunRecord


@click.command("details")
@click.argument("run_id", type=RUN, metavar="ID")
@click.option("--diff", "other_id", type=RUN, metavar="OTHER", help="Show the differences to this run.")
@json_option
@click.pass_obj
def details_command(context: Context, *, run_id: str, other_id: str | None, as_json: bool) -> None:
    """Show the whole record of a run: reasons of its category and promotion, metrics, history, lineage, files.

    ID is the id of a run, its beginning or its end if that is unique, or the path of its folder.

    Example: mhc details attention_20261120_1200
    """
    from mhc.cli.run_options import open_index
    from mhc.errors import Unreadable
    from mhc.index.resolve import find

    index = open_index(context)
    row = find(index, run_id)
    if other_id is not None:
        from mhc.cli.commands.compare import show_comparison

        show_comparison(context, index, [row, find(index, other_id)], as_json=as_json)
    elif as_json:
        from mhc.cli.output import show_json
        from mhc.index.records import record_dicts

        if row.error:
            raise Unreadable(row.error)
        show_json(record_dicts(index, [row]))
    else:
        show_run(context, index, row)


def show_run(context: Context, index: Index, row: Row) -> None:
    """Print the record, section by section.

    Raises:
        Unreadable: if it cannot be read.
    """
    from mhc.cli.pager import paged

    folder = index.folder(row.path)
    record = current_record(context, folder)
    with paged():
        show_sections(record, row, folder)


def show_sections(record: RunRecord, row: Row, folder: Path) -> None:
    """Print what a reader wants to know first: state, metrics, verdict; then how the run came to be."""
    from mhc.cli import details_sections
    from mhc.timestamps import now

    details_sections.heading(record, row, folder, now())
    details_sections.failure(record, folder)
    details_sections.metrics(record)
    details_sections.promotion(record)
    details_sections.model(record)
    details_sections.data(record)
    details_sections.timing(record)
    details_sections.lineage(record)
    details_sections.history(record)
    details_sections.files(folder)


def current_record(context: Context, folder: Path) -> RunRecord:
    """Return the record as it is on disk now, with the derived status.

    Raises:
        Unreadable: if it cannot be read.
    """
    from mhc.record import Status
    from mhc.runs import store

    record = store.read(folder)
    if record.status is not Status.RUNNING:
        return record
    from mhc.runs.liveness import with_derived_status

    return with_derived_status(record, folder, context.liveness())
