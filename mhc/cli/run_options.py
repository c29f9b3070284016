"""What reading commands share: opening the index, the options that choose runs, a word on what cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from mhc.cli.context import Place

if TYPE_CHECKING:
    from datetime import datetime

    from mhc.index.index import Index
    from mhc.index.selection import Wanted

Command = TypeVar("Command", bound=Callable[..., None])

MANY = 2000
"""Records to read from which on a bar shows the progress."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
"""The option of every reading command."""


def index_of(place: Place) -> Index:
    """The index of the runs, up to date; with a bar on the terminal where that takes long."""
    from mhc.index.index import Index

    return Index(place.outputs, place.models, place.liveness, _progress())


def _progress() -> Callable[[int, int], None]:
    """Draws a bar on stderr, which rich would take longer to import than to draw."""

    def draw(done: int, total: int) -> None:
        if total >= MANY and sys.stderr.isatty():
            filled = 30 * done // total
            end = "\n" if done == total else ""
            click.echo(f"\rReading runs  {'━' * filled:30}  {done:,} of {total:,}{end}", err=True, nl=False)

    return draw


def tell_unreadable(index: Index) -> None:
    """Say on stderr which folders hold a record that cannot be read, and why."""
    from mhc.cli.output import warn

    broken = index.unreadable()
    for row in broken[:3]:
        warn(row.error)
    if len(broken) > 3:
        warn(f"{len(broken) - 3} more folders cannot be read. See all with: mhc doctor")


_STATUSES = ["running", "completed", "failed", "interrupted", "lost", "unknown"]
_LOCATIONS = ["active", "archive_debug", "archive_baseline", "archived", "production"]


def choosing(command: Command) -> Command:
    """Add the options that choose runs; the command gets what they say from `wanted`."""
    options = (
        click.option("--status", multiple=True, type=click.Choice(_STATUSES), help="Only these; may be repeated."),
        click.option("--category", multiple=True, type=click.Choice(["debug", "baseline"]), help="Only these."),
        click.option("--location", multiple=True, type=click.Choice(_LOCATIONS), help="Only runs in these places."),
        click.option("--tag", multiple=True, metavar="TAG", help="Only runs with all of these tags."),
        click.option("--name", metavar="TEXT", help="Only runs with this in their name."),
        click.option("--since", metavar="WHEN", help="Made since: 7d, 36h, 2026-11-01."),
        click.option("--where", metavar="EXPRESSION", help='Such as "f1_macro >= 0.5 and tags has paper".'),
    )
    for option in reversed(options):
        command = _kept(option)(command)
    return command


def _kept(option: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """The option, not handed to the command but kept for `wanted`."""

    def keep(command: Command) -> Command:
        command = option(command)
        parameter = command.__click_params__[-1]  # type: ignore[attr-defined]
        parameter.expose_value = False
        parameter.callback = _keep
        return command

    return keep


def _keep(ctx: click.Context, parameter: click.Parameter, value: object) -> object:
    ctx.meta[f"mhc.{parameter.name}"] = value
    return value


def wanted(ctx: click.Context, now: datetime) -> Wanted:
    """What the options of `choosing` ask for.

    Raises:
        BadInput: where --since or --where cannot be understood.
    """
    from mhc.index.query import parse
    from mhc.index.selection import Wanted
    from mhc.timestamps import since

    said = {name.removeprefix("mhc."): value for name, value in ctx.meta.items() if name.startswith("mhc.")}
    return Wanted(
        statuses=said["status"],
        categories=said["category"],
        locations=said["location"],
        tags=said["tag"],
        name=said["name"] or "",
        since=since(said["since"], now) if said["since"] else None,
        where=parse(said["where"], now) if said["where"] else None,
    )
