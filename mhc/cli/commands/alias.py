"""`mhc alias set, remove, list`: names of the bundles."""

from __future__ import annotations

import click

from mhc.cli.commands.promote import by_option, reason_option, task_option
from mhc.cli.context import Context
from mhc.cli.output import Column, echo, show_table
from mhc.cli.run_options import dry_run_option, json_option


@click.group("alias")
def alias_group() -> None:
    """Name bundles: champion, challenger, any name.

    Example: mhc alias list
    """


@alias_group.command("set")
@click.argument("name")
@click.argument("bundle")
@by_option
@reason_option
@dry_run_option
@click.pass_obj
def set_command(context: Context, *, name: str, bundle: str, by: str, reason: str, dry_run: bool) -> None:
    """Point an alias to a bundle.

    Example: mhc alias set challenger attention_v2 --by ada --reason "to be compared for a month" --dry-run
    """
    registry = context.registry()
    target = registry.resolve(bundle).name
    if not dry_run:
        registry.set_alias(name, target, by=by, reason=reason)
    echo(f"{name} {'would be' if dry_run else 'is'} {target}")


@alias_group.command("remove")
@click.argument("name")
@by_option
@reason_option
@task_option
@dry_run_option
@click.pass_obj
def remove_command(context: Context, *, name: str, by: str, reason: str, task: str | None, dry_run: bool) -> None:
    """Remove an alias; the bundle stays.

    Example: mhc alias remove challenger --by ada --reason "the month is over" --dry-run
    """
    registry = context.registry()
    if dry_run:
        echo(f"{name} would no longer be {registry.resolve(name, task).name}")
        return
    entry = registry.remove_alias(name, by=by, reason=reason, task=task)
    echo(f"{name} is no longer {entry.before}")


@alias_group.command("list")
@json_option
@click.pass_obj
def list_command(context: Context, *, as_json: bool) -> None:
    """List all aliases.

    Example: mhc alias list
    """
    from mhc.cli.output import show_json

    production = context.registry().state()
    rows = [
        {"task": task, "task_name": production.tasks[task], "alias": name, "bundle": bundle}
        for task, aliases in production.aliases.items()
        for name, bundle in aliases.items()
    ]
    if as_json:
        show_json(rows)
    elif rows:
        columns = [Column("alias"), Column("bundle"), Column("task")]
        show_table(columns, [[row["alias"], row["bundle"], row["task_name"]] for row in rows])
    else:
        echo("No bundle has an alias. Promote a run with: mhc promote ID --by NAME --reason 'WHY'")
