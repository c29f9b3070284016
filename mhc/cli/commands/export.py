"""`mhc export`: all records as CSV, JSON Lines or Parquet."""

from __future__ import annotations

from pathlib import Path

import click

from mhc.cli import run_options
from mhc.cli.context import Place
from mhc.cli.formatting import now
from mhc.cli.output import warn

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


@click.command()
@run_options.choosing
@click.option("--format", "form", type=click.Choice(list(FORMATS.values())), help="[by the file's name, else csv]")
@click.option("--to", "file", type=click.Path(path_type=Path), help="The file. [standard output]")
@click.pass_context
def export(ctx: click.Context, form: str | None, file: Path | None) -> None:
    """All records as one table for pandas, or as JSON Lines; the options choose runs.

    Example: mhc export --to runs.csv --where "f1_macro >= 0.5"
    """
    from mhc.index.selection import Selection

    place: Place = ctx.obj
    form = form or FORMATS.get(file.suffix if file else "", "csv")
    if form == "parquet" and file is None:
        raise click.UsageError("Parquet is no text: say where to write it with --to FILE.")
    index = run_options.index_of(place)
    selection = Selection(index, run_options.wanted(ctx, now()), now())
    put(selection.records(selection.rows()), form, file)
    run_options.tell_unreadable(index)


def put(records: list[dict[str, object]], form: str, file: Path | None) -> None:
    """Write the records to the file, or to standard output with nothing in them that a terminal could act on."""
    from mhc.index import export as table
    from mhc.terminal import escape_json

    if form == "parquet" and file is not None:
        table.write_parquet(records, file)
    else:
        content = table.as_csv(records) if form == "csv" else table.as_jsonl(records)
        if file is None:
            click.echo(escape_json(content.decode()) if form == "jsonl" else content.decode(), nl=False)
            return
        table.write(file, content)
    warn(f"{len(records)} run(s) written to {file}")
