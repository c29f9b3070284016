"""`mhc pin, unpin, tag, note, reclassify`: what the user adds to the record of a run afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import echo
from mhc.cli.run_argument import RUN, find_folders, runs_argument, user_name
from mhc.cli.run_options import dry_run_option
from mhc.terminal import quantity
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.retention.annotations import Annotation


@click.command("pin")
@runs_argument
@dry_run_option
@click.pass_obj
def pin_command(context: Context, *, ids: Sequence[str], dry_run: bool) -> None:
    """Protect runs: pinned runs are never archived or purged.

    Example: mhc pin attention_20261120
    """
    from mhc.retention import annotations

    annotate(context, ids, annotations.set_pinned(value=True), "pinned", dry_run=dry_run)


@click.command("unpin")
@runs_argument
@dry_run_option
@click.pass_obj
def unpin_command(context: Context, *, ids: Sequence[str], dry_run: bool) -> None:
    """Allow runs to be archived again.

    Example: mhc unpin attention_20261120
    """
    from mhc.retention import annotations

    annotate(context, ids, annotations.set_pinned(value=False), "no longer pinned", dry_run=dry_run)


@click.command("tag")
@runs_argument
@click.option("--add", multiple=True, metavar="TAG", help="A tag to add; may be repeated.")
@click.option("--remove", multiple=True, metavar="TAG", help="A tag to remove; may be repeated.")
@dry_run_option
@click.pass_obj
def tag_command(
    context: Context, *, ids: Sequence[str], add: Sequence[str], remove: Sequence[str], dry_run: bool
) -> None:
    """Add or remove tags.

    Example: mhc tag attention_20261120 --add research --remove draft
    """
    from mhc.retention import annotations

    if not add and not remove:
        raise click.UsageError("Nothing to do: give --add TAG or --remove TAG")
    annotate(context, ids, annotations.edit_tags(add, remove), "tagged", dry_run=dry_run)


@click.command("note")
@click.argument("run", type=RUN, metavar="RUN")
@click.argument("text")
@click.option("--append", is_flag=True, help="Add a line to the note instead of replacing it.")
@dry_run_option
@click.pass_obj
def note_command(context: Context, *, run: str, text: str, append: bool, dry_run: bool) -> None:
    """Write a note on a run; an empty text removes it.

    Example: mhc note attention_20261120 "learning rate too high"
    """
    from mhc.retention import annotations

    annotate(context, [run], annotations.write_note(text, append=append), "noted", dry_run=dry_run)


def annotate(context: Context, ids: Sequence[str], annotation: Annotation, result: str, *, dry_run: bool) -> None:
    """Apply an annotation to every run, and print for each run whether it changed; `result` is a participle."""
    from mhc.retention import annotations

    for folder in find_folders(context, ids):
        changed = annotations.apply(folder, annotation, by=user_name(), now=now(), dry_run=dry_run)
        would = "would be " if dry_run else ""
        echo(f"{folder.name}: {would}{result}" if changed else f"{folder.name}: nothing to change")


@click.command("reclassify")
@click.argument("ids", nargs=-1, type=RUN, metavar="[RUN...]")
@click.option("--all", "all_runs", is_flag=True, help="All runs, archived ones included.")
@click.option(
    "--to", type=click.Choice(["debug", "baseline", "rules"]), help="Set the category, or let the rules decide again."
)
@dry_run_option
@click.pass_obj
def reclassify_command(context: Context, *, ids: Sequence[str], all_runs: bool, to: str | None, dry_run: bool) -> None:
    """Derive the category again from the record, by the current policy; or set it with --to.

    Example: mhc reclassify --all --dry-run
    """
    from mhc.policy import load
    from mhc.retention import annotations
    from mhc.runs import folders

    if bool(ids) == all_runs:
        raise click.UsageError("Give the ids of runs, or --all")
    runs = [folder for folder, _ in folders.iter_runs(context.outputs)] if all_runs else find_folders(context, ids)
    policy = load(context.policy).classification
    changes = annotations.reclassify(runs, policy, to=to, by=user_name(), now=now(), dry_run=dry_run)
    for change in changes:
        echo(f"{change.id}: {change.before or 'none'} -> {change.after} because {change.reason}")
    would = "would change" if dry_run else "changed"
    echo(f"{len(changes)} of {quantity(len(runs), 'run')} {would}.")
