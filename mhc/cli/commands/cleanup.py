"""`mhc cleanup` archives what the policy says is due; `mhc purge` deletes old runs from the archives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from mhc.cli.commands.annotate import DRY_RUN
from mhc.cli.context import Place
from mhc.cli.formatting import age, now, size
from mhc.cli.output import Column, on_terminal, say, show, warn, width
from mhc.cli.run_argument import who
from mhc.errors import BadInput, Refused
from mhc.terminal import clean

if TYPE_CHECKING:
    from mhc.retention.cleanup import Fate
    from mhc.retention.purge import Old

WIDE = 110
"""Columns from which on a run and the reason for what becomes of it fit into one line."""


@click.command()
@click.option("--keep", type=click.IntRange(min=0), help="Debug runs that stay. [what the policy says]")
@click.option("--all", "everything", is_flag=True, help="Show the runs that stay too, and why.")
@DRY_RUN
@click.pass_obj
def cleanup(place: Place, keep: int | None, everything: bool, dry_run: bool) -> None:
    """Archive what the policy says is due, with the reason for every run.

    Running and pinned runs, candidates and what was promoted stay. All can be restored.

    Example: mhc cleanup --keep 2 --dry-run
    """
    from mhc.policy import load
    from mhc.retention import cleanup as cleaning
    from mhc.retention import cleanup as tidying

    policy = tidying.keeping(load(place.policy), keep)
    fates = tidying.plan(place.outputs, place.models, policy, now=now())
    due = [fate.due for fate in fates if fate.due]
    show_fates(fates if everything else [fate for fate in fates if fate.due])
    if dry_run:
        say(f"{len(due)} of {len(fates)} run(s) would be archived.")
        return
    moved = cleaning.carry_out(due, place.outputs, policy.liveness, now=now(), by=who())
    say(f"{len(moved)} of {len(fates)} run(s) archived.")
    if len(moved) < len(due):
        say(f"{len(due) - len(moved)} changed or moved at this moment, and stay.")


def show_fates(fates: Sequence[Fate]) -> None:
    """The plan as a table; on a narrow terminal the reason has a line of its own, so that it can be read whole."""
    moment = now()
    rows = [(fate.run.folder.name, age(fate.run.record.created_at, moment), fate.to, fate.why) for fate in fates]
    if on_terminal() and width() < WIDE:
        for run, old, to, why in rows:
            say(f"{clean(run)}  {old}  {to}\n    {clean(why)}")
    elif rows:
        show([Column("run", least=24, middle=True), Column("age", right=True), Column("to"), Column("why")], rows)


@click.command()
@click.option("--older-than", required=True, metavar="AGE", help="As 30d, 12w, 48h: untouched for longer.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@DRY_RUN
@click.pass_obj
def purge(place: Place, older_than: str, yes: bool, dry_run: bool) -> None:
    """Delete runs that have lain untouched in the archives for longer. Nothing else in mhc deletes runs.

    Pinned runs, candidates and what was promoted stay.

    Example: mhc purge --older-than 30d --dry-run
    """
    from mhc.policy import load
    from mhc.retention import purge as purging

    limit = age_of(older_than)
    old, unknown = purging.plan(place.outputs, place.models, load(place.policy).liveness, older_than=limit, now=now())
    show_old(old, unknown)
    doomed = [one for one in old if not one.kept]
    freed = f"{len(doomed)} run(s), {size(sum(one.bytes for one in doomed))}"
    if dry_run or not doomed:
        say(f"{freed} would be deleted." if dry_run else f"Nothing in the archives is older than {older_than}.")
        return
    confirm(f"Delete {freed}, for good?", yes)
    gone, left = purging.purge(doomed, place.outputs, now=now(), by=who())
    for sentence in left:
        warn(sentence)
    say(f"{len(gone)} run(s) deleted, {size(sum(one.bytes for one in gone))} freed.")


def show_old(old: Sequence[Old], unknown: Sequence[str]) -> None:
    """The old runs as a table; those that stay say why."""
    columns = [
        Column("run", least=24, middle=True),
        Column("archive"),
        Column("untouched", right=True),
        Column("size", right=True),
        Column("stays because", least=12),
    ]
    if old:
        rows = [[o.folder.name, o.location.value, f"{o.rested.days}d", size(o.bytes), o.kept or ""] for o in old]
        show(columns, rows)
    for sentence in unknown:
        warn(sentence)


def confirm(question: str, yes: bool) -> None:
    """Go on only if somebody says yes.

    Raises:
        Refused: nobody does.
    """
    try:
        agreed = yes or click.confirm(question)
    except click.Abort:
        agreed = False
    if not agreed:
        raise Refused("Nothing was deleted: nobody said yes. Say it at the question, or with --yes.")


def age_of(text: str) -> timedelta:
    """The time span of `30d`, `12w`, `48h`.

    Raises:
        BadInput: it is none.
    """
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.isascii() or not number.isdigit() or int(number) > 100_000:
        raise BadInput(f"{text[:40]!r} is no age. Give a number of hours, days or weeks: 48h, 30d, 12w.")
    return int(number) * units[unit]
