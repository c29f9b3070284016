"""Shared by the commands that read runs: opening the index, common options, the warning about unreadable records."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, NamedTuple

import click

from mhc.cli.context import Context

if TYPE_CHECKING:
    from datetime import datetime

    from mhc.index.config_names import ConfigNames
    from mhc.index.index import Index
    from mhc.index.selection import RunFilter

PROGRESS_FROM = 2000
"""Number of records to read from which a bar shows the progress."""
MAX_WARNINGS = 3
"""Unreadable records that are named one by one."""
STATUSES = ["running", "completed", "failed", "interrupted", "lost", "unknown"]
CATEGORIES = ["debug", "baseline"]
LOCATIONS = ["active", "archive_debug", "archive_baseline", "archived", "production"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
"""The option `--json` of every reading command."""
dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
"""The option `--dry-run` of commands that change runs."""


def open_index(context: Context) -> Index:
    """Return the index of the runs, brought up to date; a bar on the terminal shows the progress if it takes long."""
    from mhc.index.index import Index

    return Index(context.outputs, context.models, context.liveness, _draw_progress)


def _draw_progress(done: int, total: int) -> None:
    """Draw a bar on stderr, which takes less time than to import rich."""
    if total >= PROGRESS_FROM and sys.stderr.isatty():
        filled = 30 * done // total
        end = "\n" if done == total else ""
        click.echo(f"\rReading runs  {'━' * filled:30}  {done:,} of {total:,}{end}", err=True, nl=False)


def warn_unreadable(index: Index) -> None:
    """Print to stderr which folders have a record that cannot be read, and why."""
    from mhc.cli.output import warn

    rows = index.unreadable()
    for row in rows[:MAX_WARNINGS]:
        warn(row.error)
    if len(rows) > MAX_WARNINGS:
        warn(f"{len(rows) - MAX_WARNINGS} more folders cannot be read. See all with: mhc doctor")


def warn_repeated(index: Index) -> None:
    """Print to stderr which ids several folders have: a copied folder counts twice in every table."""
    from mhc.cli.output import warn

    repeated = index.repeated_ids()
    for run_id, paths in list(repeated.items())[:MAX_WARNINGS]:
        folders = ", ".join(str(index.folder(path)) for path in paths)
        warn(f"The id {run_id} is there {_times(len(paths))}: {folders}. Move the copies out of {index.outputs}")
    if len(repeated) > MAX_WARNINGS:
        warn(f"{len(repeated) - MAX_WARNINGS} more ids are there several times")


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


class FilterOptions(NamedTuple):
    """The options that select runs, as the user typed them; an empty value selects all runs."""

    statuses: tuple[str, ...]
    categories: tuple[str, ...]
    locations: tuple[str, ...]
    tags: tuple[str, ...]
    name: str | None
    since: str | None
    where: str | None

    def parse(self, now: datetime, names: ConfigNames) -> RunFilter:
        """Return the filter for the index, with `since` and `where` parsed; `names` are those of values in configs.

        Raises:
            BadInput: if --since is not a time, or --where is not an expression.
        """
        from mhc.index.query import parse
        from mhc.index.selection import RunFilter
        from mhc.timestamps import parse_time_option

        return RunFilter(
            statuses=self.statuses,
            categories=self.categories,
            locations=self.locations,
            tags=self.tags,
            name=self.name or "",
            since=parse_time_option(self.since, now) if self.since else None,
            where=parse(self.where, now, names) if self.where else None,
        )


_FILTER_OPTIONS = (
    click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Only these; may be repeated."),
    click.option("--category", multiple=True, type=click.Choice(CATEGORIES), help="Only these."),
    click.option("--location", multiple=True, type=click.Choice(LOCATIONS), help="Only runs in these locations."),
    click.option("--tag", multiple=True, metavar="TAG", help="Only runs with all of these tags."),
    click.option("--name", metavar="TEXT", help="Only runs with this text in their name."),
    click.option("--since", metavar="WHEN", help="Only runs made since then: 7d, 36h, 2026-11-01."),
    click.option("--where", metavar="EXPRESSION", help='Such as "lr = 0.003 and val.f1_macro >= 0.5".'),
)


def filter_runs(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select runs; the command receives them as the keyword argument `filter_options`."""

    @wraps(command)
    def with_filter_options(
        *args: object,
        status: tuple[str, ...],
        category: tuple[str, ...],
        location: tuple[str, ...],
        tag: tuple[str, ...],
        name: str | None,
        since: str | None,
        where: str | None,
        **values: object,
    ) -> None:
        options = FilterOptions(status, category, location, tag, name, since, where)
        command(*args, filter_options=options, **values)

    for option in reversed(_FILTER_OPTIONS):
        option(with_filter_options)
    return with_filter_options
