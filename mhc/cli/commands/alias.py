"""`mhc alias set, remove, list`: what the bundles are called."""

from __future__ import annotations

import click

from mhc.cli.commands.promote import BY, REASON, TASK
from mhc.cli.context import Place
from mhc.cli.output import Column, say, show
from mhc.cli.run_options import as_json


@click.group()
def alias() -> None:
    """Name a bundle: champion, challenger, any name.

    Example: mhc alias list
    """


@alias.command("set")
@click.argument("name")
@click.argument("bundle")
@BY
@REASON
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.pass_obj
def set_(place: Place, name: str, bundle: str, by: str, reason: str, dry_run: bool) -> None:
    """Point an alias to a bundle.

    Example: mhc alias set challenger attention_v2 --by ada --reason "to be compared for a month" --dry-run
    """
    from mhc.production.api import Registry

    registry = Registry(place.models, place.outputs, place.policy)
    found = registry.resolve(bundle).name
    if not dry_run:
        registry.set_alias(name, found, by=by, reason=reason)
    say(f"{name} {'would be' if dry_run else 'is'} {found}")


@alias.command("remove")
@click.argument("name")
@BY
@REASON
@TASK
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.pass_obj
def remove(place: Place, name: str, by: str, reason: str, task: str | None, dry_run: bool) -> None:
    """Take an alias away; the bundle stays.

    Example: mhc alias remove challenger --by ada --reason "the month is over" --dry-run
    """
    from mhc.production.api import Registry

    registry = Registry(place.models, place.outputs, place.policy)
    if dry_run:
        say(f"{name} would no longer be {registry.resolve(name).name}")
        return
    entry = registry.remove_alias(name, by=by, reason=reason, task=task)
    say(f"{name} is no longer {entry.before}")


@alias.command("list")
@as_json
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """All aliases.

    Example: mhc alias list
    """
    from mhc.cli.output import show_json
    from mhc.production.api import Registry

    known = Registry(place.models, place.outputs, place.policy).state()
    found = [
        {"task": task, "alias": name, "bundle": bundle}
        for task, mine in known.aliases.items()
        for name, bundle in mine.items()
    ]
    if as_json:
        show_json(found)
    elif found:
        show([Column("alias"), Column("bundle"), Column("task")], [[o["alias"], o["bundle"], o["task"]] for o in found])
    else:
        say("No bundle has an alias. Promote a run with: mhc promote ID --by NAME --reason 'WHY'")
