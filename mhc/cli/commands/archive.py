"""`mhc archive`, `mhc restore`: one rename each, and back."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mhc.cli.commands.annotate import DRY_RUN, RUNS
from mhc.cli.context import Place
from mhc.cli.formatting import now
from mhc.cli.output import say
from mhc.cli.run_argument import folders_of, who
from mhc.record import ARCHIVES


@click.command()
@RUNS
@click.option("--type", "to", type=click.Choice(list(ARCHIVES)), default="archived", help="The archive. [archived]")
@click.option("--reason", default="", help="Why, for the log.")
@DRY_RUN
@click.pass_obj
def archive(place: Place, ids: Sequence[str], to: str, reason: str, dry_run: bool) -> None:
    """Move runs to an archive. Running and pinned runs, candidates and what was promoted stay.

    Example: mhc archive attention_20261120 --type archive_baseline
    """
    from mhc.policy import load
    from mhc.record import Location
    from mhc.retention import archive as moving

    liveness = load(place.policy).liveness
    why = reason or "asked for"
    due = moving.plan_archive(folders_of(place, ids), place.outputs, place.models, Location(to), liveness, why)
    if not dry_run:
        moving.archive(due, place.outputs, liveness, now=now(), by=who())
    for one in due:
        say(f"{one.folder.name} {'would be archived' if dry_run else 'archived'} to {to}")


@click.command()
@RUNS
@DRY_RUN
@click.pass_obj
def restore(place: Place, ids: Sequence[str], dry_run: bool) -> None:
    """Bring archived runs back to where they were.

    Example: mhc restore attention_20261120
    """
    from mhc.retention import archive as moving

    moves = moving.plan_restore(folders_of(place, ids), place.outputs)
    if not dry_run:
        moving.restore([folder for folder, _ in moves], place.outputs, now=now(), by=who())
    for folder, target in moves:
        say(f"{folder.name} {'would be restored' if dry_run else 'restored'} to {target}")
