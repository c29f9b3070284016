"""`mhc publish`: a copy of a bundle for others."""

from __future__ import annotations

import click

from mhc.cli.commands.promote import BY, REASON
from mhc.cli.context import Place
from mhc.cli.output import say


@click.command()
@click.argument("bundle")
@click.argument("to")
@BY
@REASON
@click.option("--public", is_flag=True, help="A Hugging Face repository that everybody sees. [private]")
@click.option("--dry-run", is_flag=True, help="Check the bundle, and say where it would go.")
@click.pass_obj
def publish(place: Place, bundle: str, to: str, by: str, reason: str, public: bool, dry_run: bool) -> None:
    """Copy a bundle to TO: hf://owner/name, mlflow:NAME, a folder, or any URL of fsspec (s3://, gs://, ...).

    Example: mhc publish champion /srv/models --by ada --reason "for the clinic's server" --dry-run
    """
    from mhc.production import publish as production
    from mhc.production.api import Registry

    registry = Registry(place.models, place.outputs, place.policy)
    found = registry.resolve(bundle)
    if dry_run:
        registry.folder(found.name)
        say(f"{found.name} is whole, and would be published to {to}")
        return
    where = production.publish(registry, found.name, to, by=by, reason=reason, public=public)
    say(f"{found.name} is published to {where}")
