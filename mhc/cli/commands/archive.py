"""`mhc archive`, `mhc restore`: move runs to an archive and back, by one rename each."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mhc.cli.context import Context
from mhc.cli.output import echo
from mhc.cli.run_argument import find_folders, runs_argument, user_name
from mhc.cli.run_options import dry_run_option
from mhc.record import ARCHIVES
from mhc.timestamps import now

DEFAULT_REASON = "asked for"


@click.command("archive")
@runs_argument
@click.option("--type", "to", type=click.Choice(list(ARCHIVES)), default="archived", help="The archive. [archived]")
@click.option("--reason", default="", help="The reason, for the log.")
@dry_run_option
@click.pass_obj
def archive_command(context: Context, *, ids: Sequence[str], to: str, reason: str, dry_run: bool) -> None:
    """Move runs to an archive. Running, pinned, candidate and promoted runs are refused.

    Example: mhc archive attention_20261120 --type archive_baseline
    """
    from mhc.record import Location
    from mhc.retention.archive import archive, plan_archive

    policy = context.liveness()
    folders = find_folders(context, ids)
    due = plan_archive(folders, context.outputs, context.models, Location(to), policy, reason or DEFAULT_REASON)
    if not dry_run:
        archive(due, context.outputs, policy, now=now(), by=user_name())
    for run in due:
        echo(f"{run.folder.name} {'would be archived' if dry_run else 'archived'} to {to}")


@click.command("restore")
@runs_argument
@dry_run_option
@click.pass_obj
def restore_command(context: Context, *, ids: Sequence[str], dry_run: bool) -> None:
    """Move archived runs back to their original folders.

    Example: mhc restore attention_20261120
    """
    from mhc.retention.archive import plan_restore, restore

    moves = plan_restore(find_folders(context, ids), context.outputs)
    if not dry_run:
        restore([folder for folder, _ in moves], context.outputs, now=now(), by=user_name())
    for folder, target in moves:
        echo(f"{folder.name} {'would be restored' if dry_run else 'restored'} to {target}")
