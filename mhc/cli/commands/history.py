"""`mhc history, champion, verify`: what is in production, what was, and whether the files say the truth."""

from __future__ import annotations

import click

from mhc.cli.commands.promote import TASK
from mhc.cli.context import Place
from mhc.cli.output import Cell, Column, say, show
from mhc.cli.run_options import as_json
from mhc.errors import MhcError


@click.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def history(place: Place, name: str | None, as_json: bool) -> None:
    """What happened to the bundles, who did it, and why; NAME: of one bundle, alias or run.

    Example: mhc history
    """
    from mhc.cli.output import show_json
    from mhc.production import state
    from mhc.production.api import Registry

    entries = Registry(place.models, place.outputs, place.policy).history(name)
    if as_json:
        show_json(entries)
    elif not entries:
        say(f"Nothing is on record{f' of {name}' if name else ''}.")
    for entry in () if as_json else entries:
        say(f"{entry.at[:19]}Z  {state.sentence(entry)}", style="bold red" if entry.forced else "")


@click.command()
@TASK
@click.option("--at", default=None, metavar="DATE", help="On that date (its end, UTC) or time.")
@as_json
@click.pass_obj
def champion(place: Place, task: str | None, at: str | None, as_json: bool) -> None:
    """The champion of each task, now or on a date.

    Example: mhc champion --at 2026-03-01
    """
    from mhc.cli.output import show_json
    from mhc.production.api import Registry

    found = [
        one for one in Registry(place.models, place.outputs, place.policy).champions(at) if task in (None, one.task)
    ]
    if as_json:
        show_json(found)
    elif found:
        columns = [Column("champion"), Column("promoted"), Column("by"), Column("task"), Column("labels", least=20)]
        rows: list[list[str | Cell]] = [
            [
                Cell(one.name, "bold red" if one.forced else "bold"),
                one.promoted_at[:10],
                one.by,
                one.task,
                ", ".join(one.labels),
            ]
            for one in found
        ]
        show(columns, rows)
    else:
        say(f"No champion{f' on {at}' if at else ''}. Make one with: mhc promote ID --by NAME --reason 'WHY'")


@click.command()
@click.option("--fix", is_flag=True, help="Clear what killed promotions left; never while anything is wrong.")
@click.option("--without-weights", is_flag=True, help="Weights may be missing, as in a git clone.")
@as_json
@click.pass_obj
def verify(place: Place, fix: bool, without_weights: bool, as_json: bool) -> None:
    """Check ledger, anchors, registry.json and every file of every bundle; exits with 1 where anything is wrong.

    Example: mhc verify
    """
    from mhc.cli.output import show_json
    from mhc.production import verify as production

    report = production.fix(place.models) if fix else production.check(place.models, without_weights)
    if as_json:
        show_json(report)
    for line in () if as_json else (*report.wrong, *report.leftover):
        say(line, style="red")
    if not report.ok:
        remedy = "restore the files from a copy" if report.wrong else "clear it with: mhc verify --fix"
        raise MhcError(f"{len(report.wrong)} wrong, {len(report.leftover)} left over: {remedy}")
    if not as_json:
        say(f"{report.entries} ledger entries and {report.bundles} bundles are whole (head {report.head[:16]})")
