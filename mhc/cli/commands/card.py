"""`mhc card`: the model card of a bundle."""

from __future__ import annotations

import click

from mhc.cli.commands.promote import task_option
from mhc.cli.context import Context
from mhc.cli.output import echo


@click.command("card")
@click.argument("bundle", default="champion")
@task_option
@click.pass_obj
def card_command(context: Context, *, bundle: str, task: str | None) -> None:
    """Show the model card of a bundle, given by its name or an alias; by default that of the champion.

    Example: mhc card champion
    """
    from mhc.production.bundle import CARD

    echo((context.registry().folder(bundle, task) / CARD).read_text(encoding="utf-8"))
