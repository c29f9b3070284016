"""`mhc promote, rollback, retire`: what goes into production, and what leaves it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mhc.cli.context import Context
from mhc.cli.output import Column, echo, show_table, warn
from mhc.cli.run_argument import RUN, find_folder
from mhc.errors import BadInput, Refused
from mhc.report.tables import gate_table

if TYPE_CHECKING:
    from mhc.production.decision import Request
    from mhc.record import Gate

by_option = click.option("--by", default="", metavar="WHO", help="Who is responsible; recorded in the ledger.")
reason_option = click.option("--reason", default="", metavar="WHY", help="The reason; recorded in the ledger.")
task_option = click.option("--task", default=None, help="The task, if there are several: see `mhc champion`.")
labels_option = click.option(
    "--labels", default="", metavar="RUN=CHAMPION,...", help="If they differ: Sad=sad,ptsd=new,grief=removed."
)
NO_ALIAS = "none"
"""Value of --as for no alias."""


@click.command("promote")
@click.argument("run_id", type=RUN, metavar="RUN")
@click.option("--name", default=None, help="Name of the bundle. [<name of the run>_v<N>]")
@by_option
@reason_option
@click.option("--as", "alias", default="champion", help="Alias of the bundle from now on, or none. [champion]")
@click.option("--answer", "answers", multiple=True, metavar="GATE=WHY", help="Answer to a gate that asks.")
@labels_option
@click.option("--task", default=None, help="Name of the task, or of a new one. [that of the same labels or data]")
@click.option("--force", is_flag=True, help="Overrule the gates; the ledger shows it permanently.")
@click.option("--onnx", is_flag=True, help="Add model.onnx to the bundle, checked for equal outputs.")
@click.option("--dry-run", is_flag=True, help="Print the verdict of every gate, and change nothing.")
@click.pass_obj
def promote_command(
    context: Context,
    *,
    run_id: str,
    name: str | None,
    by: str,
    reason: str,
    alias: str,
    answers: tuple[str, ...],
    labels: str,
    task: str | None,
    force: bool,
    onnx: bool,
    dry_run: bool,
) -> None:
    """Build a bundle from a run that passes every gate; a refusal is recorded in the ledger as well.

    Example: mhc promote attention_20261120 --by ada --reason "best of the sweep" --dry-run
    """
    from mhc.production.decision import Request

    request = Request(
        run=find_folder(context, run_id),
        by=by,
        reason=reason,
        name=name,
        alias=None if alias == NO_ALIAS else alias,
        force=force,
        onnx=onnx,
        answers=parse_answers(answers),
        labels=parse_labels(labels),
        task=task,
    )
    warn_unmarked(request.run)
    if dry_run:
        show_judgement(context, request)
    else:
        show_promotion(context, request)


def parse_answers(texts: Sequence[str]) -> dict[str, str]:
    """Return the answers by gate.

    Raises:
        BadInput: if a text is not of the form GATE=WHY.
    """
    pairs = [text.partition("=") for text in texts]
    if any(not gate or not answer.strip() for gate, _, answer in pairs):
        raise BadInput("--answer needs the gate and the answer: --answer plausible='the labels were made by a rule'")
    return {gate: answer for gate, _, answer in pairs}


def parse_labels(text: str) -> dict[str, str]:
    """Return the champion's label, `new` or `removed` by label; a label with a comma is put in double quotes.

    Raises:
        BadInput: if a part is not of the form LABEL=LABEL, or a label is given twice.
    """
    pairs = [part.strip().rpartition("=") for part in next(csv.reader([text], skipinitialspace=True), []) if part]
    labels = {label.strip(): answer.strip() for label, _, answer in pairs}
    if not all(label and answer for label, answer in labels.items()) or len(labels) < len(pairs):
        raise BadInput("--labels needs each label of the run once, with its answer: --labels Sad=sad,ptsd=new")
    return labels


def warn_unmarked(run: Path) -> None:
    """Print that the data of the run marks no class as high-risk, if so."""
    from mhc.facts import unmarked_high_risk
    from mhc.runs import store

    data = store.read(run).data
    if data is not None and not data.high_risk:
        warn(f"In the data of {run.name} {unmarked_high_risk(data.labels)}")


def show_judgement(context: Context, request: Request) -> None:
    """Print the verdict of every gate.

    Raises:
        Refused: if the run does not pass a gate, or no bundle can be built from it.
    """
    from mhc.production.build_bundle import RunSources, obstacle
    from mhc.production.promote import judge

    policy, sources = context.registry().policy, RunSources()
    judgement = judge(request, outputs=context.outputs, models=context.models, policy=policy, sources=sources)
    show_gates(judgement.gates)
    if reason := obstacle(request.run, sources):
        raise Refused(f"{request.run.name} would not be promoted: {reason}")
    if judgement.missed and not request.force:
        raise Refused(f"{request.run.name} would not be promoted")
    by_force = " by force" if judgement.missed else ""
    echo(f"{request.run.name} would be promoted{by_force} as {judgement.name}")


def show_promotion(context: Context, request: Request) -> None:
    """Promote the run, and print the verdict of every gate.

    Raises:
        Refused: if the run does not pass a gate.
    """
    from mhc.production.promote import promote

    policy = context.registry().policy
    record = promote(request, outputs=context.outputs, models=context.models, policy=policy)
    show_gates(record.gates)
    echo(f"{record.run} is promoted{' by force' if record.forced else ''} as {record.name}")
    echo(f'Use it with: python -m mhc.predict bundle={record.name} text="..."')


def show_gates(gates: Sequence[Gate]) -> None:
    """Print one line per gate."""
    columns = [Column("gate"), Column("verdict"), Column("reason", wrap=True)]
    show_table(columns, gate_table(gates).rows)


@click.command("refuse")
@click.argument("run_id", type=RUN, metavar="RUN")
@by_option
@reason_option
@click.option("--dry-run", is_flag=True, help="Print what would be refused, and change nothing.")
@click.pass_obj
def refuse_command(context: Context, *, run_id: str, by: str, reason: str, dry_run: bool) -> None:
    """Refuse a candidate: it is one no more, and the ledger has who said so and why.

    Example: mhc refuse attention_20261120 --by ada --reason "trained on withdrawn posts" --dry-run
    """
    from mhc.production import refusal

    folder = find_folder(context, run_id)
    if dry_run:
        echo(f"{refusal.refusable(folder).id} would be refused")
        return
    entry = refusal.refuse(folder, by=by, reason=reason, models=context.models)
    echo(f"{entry.run} is refused: it is no candidate any more")


@click.command("rollback")
@by_option
@reason_option
@task_option
@click.option("--dry-run", is_flag=True, help="Print which bundle would be champion, and change nothing.")
@click.pass_obj
def rollback_command(context: Context, *, by: str, reason: str, task: str | None, dry_run: bool) -> None:
    """Make the previous champion the champion again; repeated, it goes one further back each time.

    Example: mhc rollback --by ada --reason "misses too much in the field" --dry-run
    """
    registry = context.registry()
    if dry_run:
        echo(f"{registry.earlier_champion(task)} would be champion again")
        return
    entry = registry.rollback(by=by, reason=reason, task=task)
    echo(f"{entry.bundle} is champion again, instead of {entry.before}")


@click.command("retire")
@click.argument("bundle")
@by_option
@reason_option
@click.option("--dry-run", is_flag=True, help="Print what would be retired, and change nothing.")
@click.pass_obj
def retire_command(context: Context, *, bundle: str, by: str, reason: str, dry_run: bool) -> None:
    """Take a bundle out of use; its files and its history stay.

    Example: mhc retire attention_v1 --by ada --reason "trained on withdrawn posts" --dry-run
    """
    registry = context.registry()
    name = registry.resolve(bundle).name
    if not dry_run:
        registry.retire(name, by=by, reason=reason)
    echo(f"{name} {'would be' if dry_run else 'is'} retired")
