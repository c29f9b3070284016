"""`mhc publish`: copy a bundle to a hub, a registry or a folder."""

from __future__ import annotations

import click

from mhc.cli.commands.promote import by_option, reason_option, task_option
from mhc.cli.context import Context
from mhc.cli.output import echo


@click.command("publish")
@click.argument("bundle")
@click.argument("to")
@by_option
@reason_option
@task_option
@click.option("--public", is_flag=True, help="Make a Hugging Face repository public. [private]")
@click.option("--dry-run", is_flag=True, help="Check the bundle, and print the destination.")
@click.pass_obj
def publish_command(
    context: Context, *, bundle: str, to: str, by: str, reason: str, task: str | None, public: bool, dry_run: bool
) -> None:
    """Copy a bundle to TO: hf://owner/name, mlflow:NAME, a folder, or any URL of fsspec (s3://, gs://, ...).

    Example: mhc publish champion /srv/models --by ada --reason "for the clinic's server" --dry-run
    """
    from mhc import redaction
    from mhc.production.publishing import publish

    registry = context.registry()
    if dry_run:
        echo(f"{publish.check(registry, bundle, to)} is intact, and would be published to {redaction.text(to)}")
        return
    name = registry.resolve(bundle, task).name
    destination = publish.publish(registry, name, to, by=by, reason=reason, public=public)
    echo(f"{name} is published to {destination}")
