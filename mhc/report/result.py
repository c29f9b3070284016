"""What a person reads when a training ends: the numbers, where the run lies, what to do next. Pure."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mhc.facts import Metrics
from mhc.record import RunRecord

GATE_STYLE = {"passed": "green", "failed": "red", "not enough evidence": "yellow"}


def result(record: RunRecord, folder: Path, *, gates: bool) -> RenderableType:
    """Return the closing page of a run; `gates` adds the verdict of every gate."""
    parts: list[RenderableType] = [Text()]
    metrics = record.metrics.test or record.metrics.val
    if metrics:
        parts += [overall(record), Text(), per_class(record, metrics), Text()]
    parts.append(verdict(record))
    if gates and record.promotion.gates:
        parts += [Text(), gate_table(record)]
    return Group(*parts, Text(), where(record, folder))


def overall(record: RunRecord) -> Table:
    """Return one row a split: accuracy, macro-F1, calibration error, loss."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("split", "accuracy", "macro-F1", "calibration error", "loss"):
        table.add_column(title, justify="left" if title == "split" else "right")
    for split, metrics in (("val", record.metrics.val), ("test", record.metrics.test)):
        if metrics:
            values = (metrics.accuracy, metrics.f1_macro, metrics.ece, metrics.loss)
            table.add_row(split, *(shown(value) for value in values))
    return table


def per_class(record: RunRecord, metrics: Metrics) -> Table:
    """Return one row a class of the last split that was judged."""
    split = "test" if record.metrics.test else "val"
    rows = record.data.splits[split].labels if record.data and split in record.data.splits else {}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (f"class ({split})", "precision", "recall", "F1", "rows"):
        table.add_column(title, justify="left" if title.startswith("class") else "right", overflow="fold")
    for label, f1 in metrics.f1.items():
        cells = (metrics.precision.get(label), metrics.recall.get(label), f1)
        table.add_row(Text(label), *(shown(value) for value in cells), str(rows.get(label, "")))
    return table


def gate_table(record: RunRecord) -> Table:
    """Return one row a gate of the policy."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("gate", "verdict", "reason"):
        table.add_column(title, overflow="fold")
    for gate in record.promotion.gates:
        table.add_row(gate.name, Text(gate.verdict, style=GATE_STYLE.get(gate.verdict, "")), Text(gate.reason))
    return table


def verdict(record: RunRecord) -> Text:
    """Return the category and whether the run is flagged, each with its reason."""
    lines = []
    if record.category:
        lines.append(f"{record.category}: {record.category_reason}")
    failed = [gate.name for gate in record.promotion.gates if gate.verdict != "passed"]
    if record.promotion.candidate:
        lines.append("candidate for promotion: every gate is passed")
    elif record.promotion.candidate is not None:
        gates = f"{', '.join(failed)} not passed; check_promotion=true shows why" if failed else record.promotion.reason
        lines.append(f"not a candidate: {gates}")
    return Text("\n".join(lines))


def where(record: RunRecord, folder: Path) -> Text:
    """Return the folder and the next commands."""
    shown_folder = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    commands = [
        f"python scripts/manage_experiments.py details {record.id}",
        f'python -m mhc.predict run={record.id} text="..."',
        f"tensorboard --logdir {shown_folder.parent}",
    ]
    if record.promotion.candidate:
        commands.insert(1, f"python scripts/manage_experiments.py promote {record.id} --by YOU --reason WHY")
    return Text(f"Run    {shown_folder}\nNext   " + "\n       ".join(commands))


def shown(value: float | None) -> str:
    """Return a number with three digits, or a dash where it was not measured."""
    return "-" if value is None else f"{value:.3f}"
