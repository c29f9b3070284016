"""`mhc history, champion, card, verify`: what is and was in production, and whether its files are intact."""

from __future__ import annotations

import click

from mhc.cli.commands.promote import task_option
from mhc.cli.context import Context
from mhc.cli.output import Column, echo, show_table
from mhc.cli.run_options import json_option
from mhc.errors import MhcError
from mhc.report.tables import Cell
from mhc.terminal import quantity

CONTINUED = " " * 24 + "| "
"""Before a further line of an entry, so that no line break in a reason can begin an entry."""


@click.command("history")
@click.argument("name", required=False)
@task_option
@json_option
@click.pass_obj
def history_command(context: Context, *, name: str | None, task: str | None, as_json: bool) -> None:
    """Show what was done to the bundles, by whom and why; with NAME, of one bundle, alias or run.

    Example: mhc history
    """
    from mhc.cli.output import show_json
    from mhc.production import ledger, state

    entries = [ledger.masked(entry) for entry in context.registry().history(name, task)]
    if as_json:
        show_json(entries)
        return
    if not entries:
        echo(f"Nothing is recorded{f' of {name}' if name else ''}.")
    for entry in entries:
        sentence = f"{entry.at[:19]}Z  {state.sentence(entry)}"
        echo(sentence.replace("\n", f"\n{CONTINUED}"), style="bold red" if entry.forced else "")


@click.command("champion")
@task_option
@click.option("--at", default=None, metavar="DATE", help="At this time, or at the end of this date (UTC).")
@json_option
@click.pass_obj
def champion_command(context: Context, *, task: str | None, at: str | None, as_json: bool) -> None:
    """Show the champion of each task, now or on a date.

    Example: mhc champion --at 2026-03-01
    """
    from mhc.cli.output import show_json

    registry = context.registry()
    names = registry.state(at).tasks
    champions = [bundle for bundle in registry.champions(at) if task in (None, bundle.task, names[bundle.task])]
    if as_json:
        show_json(champions)
    elif champions:
        columns = [Column("champion"), Column("promoted"), Column("by"), Column("task"), Column("labels", min_width=20)]
        rows = [
            (
                Cell(bundle.name, "bold red" if bundle.forced else "bold"),
                bundle.promoted_at[:10],
                bundle.by,
                names[bundle.task],
                ", ".join(bundle.labels),
            )
            for bundle in champions
        ]
        show_table(columns, rows)
    else:
        echo(f"No champion{f' on {at}' if at else ''}. Make one with: mhc promote ID --by NAME --reason 'WHY'")


@click.command("card")
@click.argument("bundle", default="champion")
@task_option
@click.pass_obj
def card_command(context: Context, *, bundle: str, task: str | None) -> None:
    """Show the model card of a bundle, given by its name or an alias; by default that of the champion.

    Example: mhc card champion
    """
    from mhc.production.bundle import CARD

    echo((context.registry().folder(bundle, task) / CARD).read_text(encoding="utf-8"))


@click.command("verify")
@click.option("--fix", is_flag=True, help="Move aside what killed promotions left, if nothing else is wrong.")
@click.option("--without-weights", is_flag=True, help="Accept missing weights, as in a git clone.")
@json_option
@click.pass_obj
def verify_command(context: Context, *, fix: bool, without_weights: bool, as_json: bool) -> None:
    """Check ledger, anchors, registry.json and every file of every bundle; exit with 1 if anything is wrong.

    Example: mhc verify
    """
    from mhc.cli.output import show_json
    from mhc.production import verify

    report = verify.fix(context.models) if fix else verify.check(context.models, without_weights=without_weights)
    if as_json:
        show_json(report)
    else:
        for line in (*report.wrong, *report.leftover):
            echo(line, style="red")
        for path in report.moved:
            echo(f"moved to {context.models / path}")
    if not report.ok:
        remedy = "restore the files from a copy" if report.wrong else "move it aside with: mhc verify --fix"
        raise MhcError(f"{len(report.wrong)} wrong, {len(report.leftover)} left over: {remedy}")
    if not as_json:
        counted = f"{quantity(report.entries, 'ledger entry')}, {quantity(report.bundles, 'bundle')}"
        echo(f"Intact: {counted} (head {report.head[:16]})")
