"""`mhc import`: take over another tracker's runs; in = out is said, and what could not be read is named."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Place
from mhc.cli.formatting import now
from mhc.cli.output import Cell, Column, say, show, status_cell, warn
from mhc.errors import BadInput

if TYPE_CHECKING:
    from mhc.migrate.importing import Plan

DONE = {"create": "new", "extend": "more is known", "keep": "here already"}


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--timezone", default="UTC", help="Zone of the old times, which name none: Europe/Berlin. [UTC]")
@click.option("--split", type=click.Choice(["val", "test"]), help="Split of old metrics that name none. [left out]")
@click.option("--dry-run", is_flag=True, help="Show what would be taken over, and change nothing.")
@click.pass_obj
def import_runs(place: Place, path: Path, timezone: str, split: str | None, dry_run: bool) -> None:
    """Take over the old tracker's registry, logs and experiment folders, and plain Hydra outputs.

    The originals are only read; importing twice changes nothing. What no source says stays unknown.

    Example: mhc import old_project --dry-run
    """
    from mhc.migrate import importing

    plan = importing.plan(path, place.outputs, now=now(), zone=zone_called(timezone), split=split)
    if dry_run:
        show_steps(plan)
    else:
        importing.carry_out(plan.steps, now=now())
    tell(plan, dry_run)
    click.get_current_context().exit(0 if plan.complete else 1)


def zone_called(name: str) -> tzinfo:
    """The time zone of that name.

    Raises:
        BadInput: there is none.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"There is no time zone {name!r}. Give one like UTC or Europe/Berlin.") from None


def show_steps(plan: Plan) -> None:
    """The table of a dry run: every run and what would become of it."""
    columns = [Column("what"), Column("run", least=24, middle=True), Column("status"), Column("place", rank=1)]
    rows = [
        [
            Cell(DONE[step.action.value], "green" if step.action == "create" else ""),
            step.run.record.id,
            status_cell(step.run.record.status.value),
            step.run.location.value,
        ]
        for step in plan.steps
    ]
    show(columns, rows)


def tell(plan: Plan, dry_run: bool) -> None:
    """The problems, then the count: experiments in, runs out."""
    from mhc.migrate.importing import Action

    for problem in [*plan.problems, *plan.doubtful]:
        warn(str(problem))
    counts = ", ".join(f"{plan.count(action)} {DONE[action.value]}" for action in Action)
    verb = "would be runs here" if dry_run else "are runs here"
    say(f"{plan.descriptions} descriptions in {plan.files} files tell of {plan.experiments} experiments.")
    say(f"{len(plan.steps)} of {plan.experiments} {verb}: {counts}.")
    if plan.problems:
        say(f"{len(plan.problems)} places could not be read; they are named above.")
    splitless = sum(step.run.splitless for step in plan.steps)
    if splitless:
        say(f"{splitless} of them have metrics without the name of a split, kept in the record only. Say --split test")
        say("(or val) at the first import to take them as that split's.")
