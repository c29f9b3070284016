"""`mhc import`: import the runs of another tracker, and report what could not be read."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import Column, echo, show_table, status_cell, warn
from mhc.errors import BadInput
from mhc.report.tables import Cell
from mhc.timestamps import now

if TYPE_CHECKING:
    from mhc.migrate.importing import Plan

ACTIONS = {"create": "new", "extend": "extended", "keep": "unchanged"}
"""Words that are printed for `mhc.migrate.importing.Action`."""


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--timezone", default="UTC", help="Zone of times without one, such as Europe/Berlin. [UTC]")
@click.option("--split", type=click.Choice(["val", "test"]), help="Split of metrics without one. [left out]")
@click.option("--dry-run", is_flag=True, help="Print what would be imported, and change nothing.")
@click.pass_obj
def import_command(context: Context, *, path: Path, timezone: str, split: str | None, dry_run: bool) -> None:
    """Import the registry, logs and experiment folders of the old tracker, and plain Hydra outputs.

    The originals are only read, and a second import changes nothing. What no source contains stays unknown.

    Example: mhc import old_project --dry-run
    """
    from mhc.migrate import importing

    plan = importing.plan(path, context.outputs, now=now(), zone=parse_zone(timezone), split=split)
    if dry_run:
        show_steps(plan)
    else:
        importing.carry_out(plan.steps, now=now())
    show_counts(plan, dry_run=dry_run)
    click.get_current_context().exit(0 if plan.complete else 1)


def parse_zone(name: str) -> tzinfo:
    """Return the time zone of that name.

    Raises:
        BadInput: if there is none.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"There is no time zone {name!r}. Give one such as UTC or Europe/Berlin") from None


def show_steps(plan: Plan) -> None:
    """Print one line per run: what the import would do with it."""
    columns = [Column("what"), Column("run", min_width=24, cut_middle=True), Column("status")]
    rows = [
        (
            Cell(ACTIONS[step.action.value], "green" if step.action == "create" else ""),
            step.run.record.id,
            status_cell(step.run.record.status.value),
            step.run.location.value,
        )
        for step in plan.steps
    ]
    show_table([*columns, Column("place", drop_rank=1)], rows)


def show_counts(plan: Plan, *, dry_run: bool) -> None:
    """Print the problems, then the number of experiments in the source and of runs here."""
    from mhc.migrate.importing import Action

    for problem in [*plan.problems, *plan.rejected]:
        warn(str(problem))
    counts = ", ".join(f"{plan.count(action)} {ACTIONS[action.value]}" for action in Action)
    verb = "would be runs here" if dry_run else "are runs here"
    echo(f"{plan.descriptions} descriptions in {plan.files} files describe {plan.experiments} experiments.")
    echo(f"{len(plan.steps)} of {plan.experiments} {verb}: {counts}.")
    if plan.problems:
        echo(f"{len(plan.problems)} places could not be read; they are listed above.")
    without_split = sum(step.run.splitless for step in plan.steps)
    if without_split:
        echo(f"{without_split} of them have metrics without a split, which are kept in the record only. To import them")
        echo("as metrics of one split, give --split test (or val) at the first import.")
