"""`mhc card`: the model card of a bundle."""

from __future__ import annotations

import click

from mhc.cli.place import Place
from mhc.cli.tables import say


@click.command()
@click.argument("bundle", default="champion")
@click.pass_obj
def card(place: Place, bundle: str) -> None:
    """Show the model card of a bundle, by its name or an alias; of the champion, where none is said.

    Example: mhc card champion
    """
    from mhc.production.bundle import CARD
    from mhc.production.registry import Registry

    folder = Registry(place.models, place.outputs, place.policy).folder(bundle)
    say((folder / CARD).read_text(encoding="utf-8"))
