"""`mhc cleanup` archives the runs that the policy selects; `mhc purge` deletes old runs from the archives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import Column, echo, on_terminal, show_table, terminal_width, warn
from mhc.cli.run_argument import user_name
from mhc.cli.run_options import dry_run_option
from mhc.errors import Refused
from mhc.report.formatting import format_age, format_size
from mhc.terminal import clean, quantity
from mhc.timestamps import now, parse_age_option

if TYPE_CHECKING:
    from mhc.retention.cleanup import PlannedAction
    from mhc.retention.purge import OldRun

ONE_LINE_WIDTH = 110
"""Terminal width from which a run and the reason of its action fit into one line."""


@click.command("cleanup")
@click.option("--keep", type=click.IntRange(min=0), help="Number of debug runs that stay. [from the policy]")
@click.option("--all", "show_all", is_flag=True, help="Show the runs that stay, too, and why.")
@dry_run_option
@click.pass_obj
def cleanup_command(context: Context, *, keep: int | None, show_all: bool, dry_run: bool) -> None:
    """Archive the runs that the policy selects, and print the reason for each.

    Running and pinned runs, candidates and promoted runs stay. All archived runs can be restored.

    Example: mhc cleanup --keep 2 --dry-run
    """
    from mhc.policy import load
    from mhc.retention import cleanup

    policy = cleanup.with_keep(load(context.policy), keep)
    actions = cleanup.plan(context.outputs, context.models, policy, now=now())
    due = [action.due for action in actions if action.due]
    show_actions(actions if show_all else [action for action in actions if action.due])
    if dry_run:
        echo(f"{len(due)} of {quantity(len(actions), 'run')} would be archived.")
        return
    archived = cleanup.carry_out(due, context.outputs, policy.liveness, now=now(), by=user_name())
    echo(f"{len(archived)} of {quantity(len(actions), 'run')} archived.")
    if len(archived) < len(due):
        echo(f"{len(due) - len(archived)} changed or moved in the meantime, and stay.")


def show_actions(actions: Sequence[PlannedAction]) -> None:
    """Print the plan as a table; on a narrow terminal the reason has a line of its own, so that it is not cut."""
    time = now()
    rows = [
        (action.run.folder.name, format_age(action.run.record.created_at, time), action.to, action.why)
        for action in actions
    ]
    if on_terminal() and terminal_width() < ONE_LINE_WIDTH:
        for run, age, to, why in rows:
            echo(f"{clean(run)}  {age}  {to}\n    {clean(why)}")
    elif rows:
        columns = [Column("run", min_width=24, cut_middle=True), Column("age", right=True), Column("to"), Column("why")]
        show_table(columns, rows)


@click.command("purge")
@click.option("--older-than", required=True, metavar="AGE", help="Delete runs untouched for longer: 30d, 12w, 48h.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@click.pass_obj
def purge_command(context: Context, *, older_than: str, yes: bool, dry_run: bool) -> None:
    """Delete archived runs that were untouched for longer. Only this command of mhc deletes runs.

    Pinned runs, candidates and promoted runs stay.

    Example: mhc purge --older-than 30d --dry-run
    """
    from mhc.retention import purge

    age = parse_age_option(older_than)
    runs, problems = purge.plan(context.outputs, context.models, context.liveness(), older_than=age, now=now())
    show_old_runs(runs)
    for problem in problems:
        warn(problem)
    due = [run for run in runs if not run.protection]
    amount = f"{quantity(len(due), 'run')}, {total_size(due)}"
    if dry_run or not due:
        echo(f"{amount} would be deleted." if dry_run else f"Nothing in the archives is older than {older_than}.")
        return
    confirm(f"Delete {amount}, permanently?", yes=yes)
    deleted, failures = purge.purge(due, context.outputs, now=now(), by=user_name())
    for failure in failures:
        warn(failure)
    echo(f"{quantity(len(deleted), 'run')} deleted, {total_size(deleted)} freed.")


def total_size(runs: Sequence[OldRun]) -> str:
    """Return the size of all runs."""
    return format_size(sum(run.bytes for run in runs))


def show_old_runs(runs: Sequence[OldRun]) -> None:
    """Print the old runs as a table, with the reason if one stays."""
    columns = [
        Column("run", min_width=24, cut_middle=True),
        Column("archive"),
        Column("untouched", right=True),
        Column("size", right=True),
        Column("stays because", min_width=12),
    ]
    rows = [
        (run.folder.name, run.location.value, f"{run.idle.days}d", format_size(run.bytes), run.protection or "")
        for run in runs
    ]
    if rows:
        show_table(columns, rows)


def confirm(question: str, *, yes: bool) -> None:
    """Ask the user to confirm, unless `yes`.

    Raises:
        Refused: if the user does not confirm.
    """
    try:
        confirmed = yes or click.confirm(question)
    except click.Abort:
        confirmed = False
    if not confirmed:
        raise Refused("Nothing was deleted: it was not confirmed. Answer y to the question, or give --yes")
