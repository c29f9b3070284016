"""The closing page of a training: metrics, verdict, folder of the run, next commands. Pure."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from mhc.record import RunRecord
from mhc.report.tables import Table, class_table, gate_table, metrics_table, rich_table, tempered_error


def result(record: RunRecord, folder: Path, *, gates: bool) -> RenderableType:
    """Return the closing page of a run.

    Args:
        record: the record of the run, after its last test.
        folder: the folder of the run.
        gates: include the verdict of every gate.
    """
    parts: list[RenderableType] = [Text()]
    for table in metrics_tables(record):
        parts += [rich_table(table), Text()]
    parts.append(conclusion(record))
    if gates and record.promotion.gates:
        parts += [Text(), rich_table(gate_table(record.promotion.gates))]
    return Group(*parts, Text(), next_steps(record, folder))


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


def conclusion(record: RunRecord) -> Text:
    """Return the category and whether the run is a candidate for promotion, each with its reason."""
    lines = []
    if record.category:
        lines.append(f"{record.category}: {record.category_reason}")
    missed = [gate.name for gate in record.promotion.gates if gate.verdict != "passed"]
    if record.promotion.candidate:
        lines.append("candidate for promotion: every gate is passed")
    elif record.promotion.candidate is not None:
        reason = record.promotion.reason
        if missed:
            reason = f"{', '.join(missed)} not passed; check_promotion=true shows why"
        lines.append(f"not a candidate: {reason}")
    return Text("\n".join(lines))


def next_steps(record: RunRecord, folder: Path) -> Text:
    """Return the folder of the run and the next commands."""
    path = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    commands = [
        f"python scripts/manage_experiments.py details {record.id}",
        f'python -m mhc.predict run={record.id} text="..."',
        f"tensorboard --logdir {path.parent}",
    ]
    if record.promotion.candidate:
        commands.insert(1, f"python scripts/manage_experiments.py promote {record.id} --by YOU --reason WHY")
    return Text(f"Run    {path}\nNext   " + "\n       ".join(commands))
