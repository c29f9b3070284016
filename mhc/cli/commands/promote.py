"""`mhc promote, rollback, retire`: what goes to production, and what leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mhc.cli import run_argument
from mhc.cli.context import Place
from mhc.cli.output import Cell, Column, say, show
from mhc.errors import BadInput, Refused

if TYPE_CHECKING:
    from mhc.production.api import Registry
    from mhc.production.decision import Request
    from mhc.record import Gate

BY = click.option("--by", default="", metavar="WHO", help="Who answers for it; goes into the ledger.")
REASON = click.option("--reason", default="", metavar="WHY", help="Why; goes into the ledger.")
TASK = click.option("--task", default=None, help="Which task, where there are several: see `mhc champion`.")
STYLES = {"passed": "green", "failed": "bold red", "not enough evidence": "yellow"}
NOBODY = "none"
"""What --as says for no alias at all."""


@click.command()
@click.argument("run_id", type=run_argument.RUN, metavar="RUN")
@click.option("--name", default=None, help="Name of the bundle. [<name of the run>_v<N>]")
@BY
@REASON
@click.option("--as", "alias", default="champion", help="What the bundle is from now on; none: nothing. [champion]")
@click.option("--answer", "answers", multiple=True, metavar="GATE=WHY", help="Answer to a gate that asks.")
@click.option("--force", is_flag=True, help="Overrule the gates; shows for ever.")
@click.option("--onnx", is_flag=True, help="Add model.onnx to the bundle, checked for equal outputs.")
@click.option("--dry-run", is_flag=True, help="Show the verdict of every gate, and change nothing.")
@click.pass_obj
def promote(place: Place, /, run_id: str, dry_run: bool, **said: object) -> None:
    """Make a bundle of a run, after every gate; a refusal stands in the ledger as well.

    Example: mhc promote attention_20261120 --by ada --reason "best of the sweep" --dry-run
    """
    from mhc.production.promote import promote as carry_out

    request = _request(place, run_id, said)
    if dry_run:
        rehearse(place, request)
        return
    made = carry_out(request, outputs=place.outputs, models=place.models, policy=_registry(place).policy)
    show_gates(made.gates)
    say(f"{made.run} is promoted{' by force' if made.forced else ''} as {made.name}")
    say(f'Use it with: python -m mhc.predict bundle={made.name} text="..."')


def rehearse(place: Place, request: Request) -> None:
    """Show the verdict of every gate.

    Raises:
        Refused: where a gate is not passed.
    """
    from mhc.production.promote import judge

    verdict = judge(request, outputs=place.outputs, models=place.models, policy=_registry(place).policy)
    show_gates(verdict.gates)
    if verdict.missed and not request.force:
        raise Refused(f"{request.run.name} would not be promoted")
    say(f"{request.run.name} would be promoted{' by force' if verdict.missed else ''} as {verdict.name}")


def _request(place: Place, run_id: str, said: dict[str, object]) -> Request:
    from mhc.production.decision import Request

    alias = str(said["alias"])
    return Request(
        run=run_argument.folder(place, run_id),
        by=str(said["by"]),
        why=str(said["reason"]),
        name=None if said["name"] is None else str(said["name"]),
        alias=None if alias == NOBODY else alias,
        force=bool(said["force"]),
        onnx=bool(said["onnx"]),
        answers=_answers(said["answers"]),
    )


def _answers(said: object) -> dict[str, str]:
    assert isinstance(said, tuple)
    pairs = [str(one).partition("=") for one in said]
    if any(not gate or not why.strip() for gate, _, why in pairs):
        raise BadInput("--answer needs the gate and the answer: --answer plausible='the labels were made by a rule'")
    return {gate: why for gate, _, why in pairs}


def show_gates(gates: Sequence[Gate]) -> None:
    """One line for each gate."""
    columns = [Column("gate"), Column("verdict"), Column("reason", least=30)]
    show(columns, [[gate.name, Cell(gate.verdict, STYLES.get(gate.verdict, "")), gate.reason] for gate in gates])


@click.command()
@BY
@REASON
@TASK
@click.option("--dry-run", is_flag=True, help="Say who would be champion, and change nothing.")
@click.pass_obj
def rollback(place: Place, by: str, reason: str, task: str | None, dry_run: bool) -> None:
    """Make the champion before this one champion again; once more goes one further back.

    Example: mhc rollback --by ada --reason "misses too much in the field" --dry-run
    """
    registry = _registry(place)
    if dry_run:
        say(f"{registry.earlier_champion(task)} would be champion again")
        return
    entry = registry.rollback(by=by, reason=reason, task=task)
    say(f"{entry.bundle} is champion again, instead of {entry.before}")


@click.command()
@click.argument("bundle")
@BY
@REASON
@click.option("--dry-run", is_flag=True, help="Say what would be retired, and change nothing.")
@click.pass_obj
def retire(place: Place, bundle: str, by: str, reason: str, dry_run: bool) -> None:
    """Take a bundle out of use; its files and its history stay.

    Example: mhc retire attention_v1 --by ada --reason "trained on withdrawn posts" --dry-run
    """
    registry = _registry(place)
    name = registry.resolve(bundle).name
    if not dry_run:
        registry.retire(name, by=by, reason=reason)
    say(f"{name} {'would be' if dry_run else 'is'} retired")


def _registry(place: Place) -> Registry:
    from mhc.production.api import Registry

    return Registry(place.models, place.outputs, place.policy)
