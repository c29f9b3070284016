"""`mhc search`: find runs by words."""

from __future__ import annotations

import click

from mhc.cli.context import Place
from mhc.cli.run_options import as_json as json_option


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--limit", type=click.IntRange(min=0), default=50, help="At most so many; 0: all. [50]")
@json_option
@click.pass_obj
def search(place: Place, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find runs that have all the words in ids, names, descriptions, tags, notes or config values.

    Example: mhc search focal "lr: 0.0003"
    """
    from mhc.cli.output import Cell, Column, remark, show, status_cell
    from mhc.cli.run_options import index_of
    from mhc.index.search import search as find_words
    from mhc.index.selection import ALL, record_dicts

    index = index_of(place)
    hits = find_words(index, words, limit or ALL)
    if as_json:
        from mhc.cli.output import show_json

        show_json(record_dicts(index, [hit.row for hit in hits]))
        return
    columns = (Column("id", least=22, middle=True), Column("status"), Column("found in", least=20))
    if hits:
        show(columns, [(hit.row.id, status_cell(hit.row.shown), Cell("; ".join(hit.lines), "dim")) for hit in hits])
    remark(f"{len(hits)} run{'s' * (len(hits) != 1)}" if hits else f"No run in {place.outputs} has: {' '.join(words)}")
