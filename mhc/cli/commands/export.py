"""`mhc export`: records as CSV, JSON Lines or Parquet."""

from __future__ import annotations

from pathlib import Path

import click

from mhc.cli.context import Context
from mhc.cli.output import warn
from mhc.cli.run_options import FilterOptions, filter_runs, open_index, warn_repeated, warn_unreadable
from mhc.terminal import quantity
from mhc.timestamps import now

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


@click.command("export")
@filter_runs
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS.values())), help="[by the suffix of the file, else csv]"
)
@click.option("--to", "file", type=click.Path(path_type=Path), help="The file to write. [standard output]")
@click.pass_obj
def export_command(context: Context, *, filter_options: FilterOptions, form: str | None, file: Path | None) -> None:
    """Export records as one table for pandas, or as JSON Lines; the other options select runs.

    Example: mhc export --to runs.csv --where "val.f1_macro >= 0.5"
    """
    from mhc.index.records import config_names
    from mhc.index.selection import Selection
    from mhc.production import bundle

    if file is not None:
        bundle.refuse_output(file, context.models)
    form = form or FORMATS.get(file.suffix if file else "", "csv")
    if form == "parquet" and file is None:
        raise click.UsageError("Parquet is a binary format: give the file to write with --to FILE")
    index = open_index(context)
    selection = Selection(index, filter_options.parse(now(), config_names(index)), now())
    write_records(selection.records(selection.rows()), form, file)
    warn_unreadable(index)
    warn_repeated(index)


def write_records(records: list[dict[str, object]], form: str, file: Path | None) -> None:
    """Write the records to the file, or to standard output without characters that a terminal could act on."""
    from mhc.index import export
    from mhc.terminal import escape_json

    if form == "parquet" and file is not None:
        export.write_parquet(records, file)
    else:
        content = export.as_csv(records) if form == "csv" else export.as_jsonl(records)
        if file is None:
            click.echo(escape_json(content.decode()) if form == "jsonl" else content.decode(), nl=False)
            return
        export.write(file, content)
    warn(f"{quantity(len(records), 'run')} written to {file}")
