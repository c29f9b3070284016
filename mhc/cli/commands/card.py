"""`mhc card`: the model card of a bundle."""

from __future__ import annotations

import click

from mhc.cli.context import Place
from mhc.cli.output import say


@click.command()
@click.argument("bundle", default="champion")
@click.pass_obj
def card(place: Place, bundle: str) -> None:
    """Show the model card of a bundle, by its name or an alias; of the champion, where none is said.

    Example: mhc card champion
    """
    from mhc.production.api import Registry
    from mhc.production.bundle import CARD

    folder = Registry(place.models, place.outputs, place.policy).folder(bundle)
    say((folder / CARD).read_text(encoding="utf-8"))
