"""The closing page of a training: metrics, verdict, folder of the run, next commands."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from mhc.record import RunRecord
from mhc.report.advice import advice, result_notes
from mhc.report.data_notes import data_notes
from mhc.report.folds import members_sentence, refit_sentence
from mhc.report.tables import Table, class_table, gate_table, metrics_table, rich_table, tempered_error, with_remedy
from mhc.terminal import quantity

UNLIMITED = 100_000
"""Columns of a page that is not on a terminal."""


def show(record: RunRecord, folder: Path, *, gates: bool) -> None:
    """Print the closing page of a run to stderr.

    In a pipe or a log nothing is wrapped; on a terminal only sentences are, so that commands can be copied.

    Args:
        record: the record of the run, after its last test.
        folder: the folder of the run.
        gates: include the verdict of every gate.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    for table in metrics_tables(record):
        console.print("", rich_table(table), sep="\n")
    for note in result_notes(record):
        console.print("", Text(f"Note   {note}"), sep="\n")
    if notes := data_notes(record.data):
        console.print("", Text("Data   " + "\n       ".join(notes)), sep="\n")
    console.print("", conclusion(record, gates=gates), sep="\n")
    if gates and record.promotion.gates:
        console.print("", rich_table(gate_table(record.promotion.gates)), sep="\n")
    if advised := advice(record):
        console.print("", Text(f"Advice {advised}"), sep="\n")
    console.print("", next_steps(record, folder), sep="\n", soft_wrap=True)


def metrics_tables(record: RunRecord) -> list[Table]:
    """Return the metrics of val and test, and those of each class of the last split; nothing without metrics."""
    both = {"val": record.metrics.val, "test": record.metrics.test}
    splits = {name: metrics for name, metrics in both.items() if metrics}
    if not splits:
        return []
    last = list(splits)[-1]
    rows = record.data.splits[last].labels if record.data and last in record.data.splits else {}
    overall = metrics_table(splits, tempered_error(record.promotion))
    return [overall, class_table(last, splits[last], rows)]


def conclusion(record: RunRecord, *, gates: bool = False) -> Text:
    """Return the category and whether the run is a candidate for promotion, each with its reason.

    Unless a table of all `gates` follows, each gate that is not passed has a line of its own.
    """
    lines = []
    if record.category:
        lines.append(f"{record.category}: {record.category_reason}")
    if record.refit:
        lines.append(refit_sentence(record.refit))
    if record.ensemble:
        lines.append(members_sentence(record.ensemble))
    judged = record.promotion.gates
    missed = [gate for gate in judged if gate.verdict != "passed"]
    if record.promotion.candidate:
        lines.append("candidate for promotion: every gate is passed")
    elif record.promotion.candidate is not None:
        reason = f"{len(missed)} of {quantity(len(judged), 'gate')} not passed" if missed else record.promotion.reason
        lines.append(f"not a candidate: {reason}")
        lines += [
            f"  {gate.name} {gate.verdict}: {with_remedy(gate.reason, gate.remedy)}" for gate in missed if not gates
        ]
    return Text("\n".join(lines))


def next_steps(record: RunRecord, folder: Path) -> Text:
    """Return the folder of the run and the next commands."""
    path = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    commands = [
        f"mhc details {record.id}",
        f'python -m mhc.predict run={record.id} text="..."',
        f"tensorboard --logdir {path.parent}",
    ]
    if record.promotion.candidate:
        commands.insert(1, f"mhc promote {record.id} --by YOU --reason WHY")
    return Text(f"Run    {path}\nNext   " + "\n       ".join(commands))
