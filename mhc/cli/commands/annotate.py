"""`mhc pin, unpin, tag, note, reclassify`: what a person says about runs afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.formatting import now
from mhc.cli.output import say
from mhc.cli.run_argument import RUN, folders_of, who

if TYPE_CHECKING:
    from mhc.retention.annotations import Mark

RUNS = click.argument("ids", nargs=-1, required=True, type=RUN, metavar="RUN...")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")


@click.command()
@RUNS
@DRY_RUN
@click.pass_obj
def pin(place: Place, ids: Sequence[str], dry_run: bool) -> None:
    """Keep runs where they are: pinned runs are never archived or purged.

    Example: mhc pin attention_20261120
    """
    from mhc.retention import annotations as marks

    mark(place, ids, marks.pinned(True), "pinned", dry_run)


@click.command()
@RUNS
@DRY_RUN
@click.pass_obj
def unpin(place: Place, ids: Sequence[str], dry_run: bool) -> None:
    """Let runs be archived again.

    Example: mhc unpin attention_20261120
    """
    from mhc.retention import annotations as marks

    mark(place, ids, marks.pinned(False), "no longer pinned", dry_run)


@click.command()
@RUNS
@click.option("--add", multiple=True, metavar="TAG", help="A tag to add; may be said several times.")
@click.option("--remove", multiple=True, metavar="TAG", help="A tag to take off; may be said several times.")
@DRY_RUN
@click.pass_obj
def tag(place: Place, ids: Sequence[str], add: Sequence[str], remove: Sequence[str], dry_run: bool) -> None:
    """Add or remove tags.

    Example: mhc tag attention_20261120 --add research --remove draft
    """
    from mhc.retention import annotations as marks

    if not add and not remove:
        raise click.UsageError("Say what to do: --add TAG or --remove TAG.")
    mark(place, ids, marks.tagged(add, remove), "tagged", dry_run)


@click.command()
@click.argument("run", type=RUN, metavar="RUN")
@click.argument("text")
@click.option("--append", is_flag=True, help="Add a line to the note instead of replacing it.")
@DRY_RUN
@click.pass_obj
def note(place: Place, run: str, text: str, append: bool, dry_run: bool) -> None:
    """Write a note on a run; an empty text takes it away.

    Example: mhc note attention_20261120 "learning rate too high"
    """
    from mhc.retention import annotations as marks

    mark(place, [run], marks.noted(text, append), "noted", dry_run)


def mark(place: Place, ids: Sequence[str], change: Mark, done: str, dry_run: bool) -> None:
    """Make the same change to every run, and say of each what became of it."""
    from mhc.retention import annotations as marks

    for folder in folders_of(place, ids):
        changed = marks.apply(folder, change, by=who(), now=now(), dry_run=dry_run)
        would = "would be " if dry_run else ""
        say(f"{folder.name}: {would}{done}" if changed else f"{folder.name}: nothing to change")


@click.command()
@click.argument("ids", nargs=-1, type=RUN, metavar="[RUN...]")
@click.option("--all", "everything", is_flag=True, help="All runs, archived ones too.")
@click.option(
    "--to", type=click.Choice(["debug", "baseline", "rules"]), help="Say it yourself, or let the rules again."
)
@DRY_RUN
@click.pass_obj
def reclassify(place: Place, ids: Sequence[str], everything: bool, to: str | None, dry_run: bool) -> None:
    """Derive the category again from what is on record, by the policy as it is now.

    Example: mhc reclassify --all --dry-run
    """
    from mhc.policy import load
    from mhc.retention import annotations as reclassifying
    from mhc.runs import folders

    if bool(ids) == everything:
        raise click.UsageError("Name runs, or say --all.")
    chosen = [folder for folder, _ in folders.walk(place.outputs)] if everything else folders_of(place, ids)
    rules = load(place.policy).classification
    changes = reclassifying.reclassify(chosen, rules, to=to, by=who(), now=now(), dry_run=dry_run)
    for change in changes:
        say(f"{change.id}: {change.before or 'none'} -> {change.after} because {change.reason}")
    would = " would change" if dry_run else " changed"
    say(f"{len(changes)} of {len(chosen)} run(s){would}.")
