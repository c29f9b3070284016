"""Tables of metrics and of gate verdicts, shared by the closing page, `mhc.evaluate` and the CLI. Pure.

Tables are plain values. `rich_table` converts one for printing and imports rich when it is called, so the CLI
can import this module at start-up and print the values with its own `mhc.cli.output.show`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from mhc.facts import Metrics
    from mhc.record import Gate, Promotion

METRICS = {"accuracy": "accuracy", "f1_macro": "macro-F1", "ece": "calibration error", "loss": "loss"}
"""Fields of `Metrics` and their titles, in the order of the columns."""
VERDICT_STYLES = {"passed": "green", "failed": "red", "not enough evidence": "yellow"}
MISSING = "-"
"""Printed for a value that was not measured."""


class Cell(NamedTuple):
    """A text with a style of rich (`green`, `bold red`), which is used on terminals only."""

    text: str
    style: str = ""


class Table(NamedTuple):
    """Titles and rows of a table."""

    titles: tuple[str, ...]
    rows: list[tuple[str | Cell, ...]]
    numeric: bool = False
    """Whether all columns but the first are numbers, which are aligned right."""


def metrics_table(splits: Mapping[str, Metrics], tempered: Mapping[str, float | None] | None = None) -> Table:
    """Return one row per split: accuracy, macro-F1, calibration error, loss.

    Args:
        splits: the metrics by the name of the split.
        tempered: the calibration error at the temperature that a bundle will have, if measured: a column beside the
            error without one; a split that is missing gets a dash.
    """
    fields = list(METRICS)
    titles = {**METRICS, "ece": "calibration error, raw"} if tempered else METRICS
    rows = [[name, *(score(getattr(split, field)) for field in fields)] for name, split in splits.items()]
    heads = ["split", *titles.values()]
    if tempered:
        column = fields.index("ece") + 2
        heads.insert(column, "tempered")
        for row in rows:
            row.insert(column, score(tempered.get(row[0])))
    return Table(tuple(heads), [tuple(row) for row in rows], numeric=True)


def tempered_error(promotion: Promotion) -> dict[str, float | None]:
    """Return the calibration error that the gate measured, on test at the temperature of validation; empty if none."""
    measured = next((gate.measured for gate in promotion.gates if gate.name == "calibration"), None)
    return {} if measured is None else {"test": measured}


def class_table(split: str, metrics: Metrics, rows: Mapping[str, int]) -> Table:
    """Return one row per class of a split: precision, recall, F1 and the number of rows.

    Args:
        split: name of the split, for the title of the first column.
        metrics: metrics of the split.
        rows: rows per class; a class that is missing here gets a dash.
    """
    lines = [
        (
            label,
            score(metrics.precision.get(label)),
            score(metrics.recall.get(label)),
            score(f1),
            f"{rows[label]:,}" if label in rows else MISSING,
        )
        for label, f1 in metrics.f1.items()
    ]
    return Table((f"class ({split})", "precision", "recall", "F1", "rows"), [*lines], numeric=True)


def gate_table(gates: Iterable[Gate]) -> Table:
    """Return one row per gate: name, verdict, reason with what would change the verdict."""
    rows: list[tuple[str | Cell, ...]] = [
        (gate.name, verdict_cell(gate.verdict), with_remedy(gate.reason, gate.remedy)) for gate in gates
    ]
    return Table(("gate", "verdict", "reason"), rows)


def with_remedy(reason: str, remedy: str) -> str:
    """Return the reason of a verdict, followed by what would change it."""
    return f"{reason}; would change it: {remedy}" if remedy else reason


def verdict_cell(verdict: str) -> Cell:
    """Return the verdict of a gate in its colour."""
    return Cell(verdict, VERDICT_STYLES.get(verdict, ""))


def score(value: float | None) -> str:
    """Return a metric with three decimals, or a dash if it was not measured."""
    return MISSING if value is None else f"{value:.3f}"


def rich_table(table: Table) -> RichTable:
    """Return the table for a console of rich; markup in cells is printed as it is."""
    from rich.table import Table as RichTable
    from rich.text import Text

    result = RichTable(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(table.titles):
        result.add_column(title, justify="right" if table.numeric and number else "left", overflow="fold")
    for row in table.rows:
        cells = [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]
        result.add_row(*(Text(cell.text, style=cell.style) for cell in cells))
    return result
