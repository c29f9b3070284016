"""`mhc search`: find runs by words."""

from __future__ import annotations

import click

from mhc.cli.context import Context
from mhc.cli.run_options import json_option, open_index


@click.command("search")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--limit", type=click.IntRange(min=0), default=50, help="Maximum number; 0: all. [50]")
@json_option
@click.pass_obj
def search_command(context: Context, *, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find runs that have all the words in ids, names, descriptions, tags, notes or config values.

    Example: mhc search focal "lr: 0.0003"
    """
    from mhc.cli.output import Column, remark, show_json, show_table, status_cell
    from mhc.index.records import record_dicts
    from mhc.index.search import search
    from mhc.report.tables import Cell

    index = open_index(context)
    hits = search(index, words, limit)
    if as_json:
        show_json(record_dicts(index, [hit.row for hit in hits]))
        return
    if not hits:
        remark(f"No run in {context.outputs} has: {' '.join(words)}")
        return
    columns = (Column("id", min_width=22, cut_middle=True), Column("status"), Column("found in", min_width=20))
    show_table(columns, [(hit.row.id, status_cell(hit.row.shown), Cell("; ".join(hit.lines), "dim")) for hit in hits])
    remark(f"{len(hits)} run{'s' * (len(hits) != 1)}")
