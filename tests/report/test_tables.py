"""One table of metrics, one of classes and one of gates, for every place that shows them."""

from __future__ import annotations

from io import StringIO

from msgspec.structs import replace
from rich.console import Console

from mhc.facts import Metrics
from mhc.record import Gate, Promotion
from mhc.report.tables import (
    Cell,
    class_table,
    gate_table,
    metrics_table,
    rich_table,
    tempered_error,
    verdict_cell,
)

METRICS = Metrics(
    accuracy=0.7, f1_macro=0.66, loss=0.9, ece=None, f1={"[b]": 0.8}, precision={"[b]": 0.81}, recall={"[b]": 0.79}
)


def test_metrics_table_has_one_row_per_split() -> None:
    table = metrics_table({"val": METRICS, "test": METRICS})
    assert table.titles == ("split", "accuracy", "macro-F1", "calibration error", "loss")
    assert table.rows == [(split, "0.700", "0.660", "-", "0.900") for split in ("val", "test")]


def test_both_calibration_errors_are_side_by_side() -> None:
    gate = Gate(name="calibration", verdict="passed", reason="", measured=0.086)
    tempered = tempered_error(Promotion(gates=[gate]))
    table = metrics_table({"val": METRICS, "test": replace(METRICS, ece=0.31)}, tempered)
    assert table.titles == ("split", "accuracy", "macro-F1", "calibration error, raw", "tempered", "loss")
    assert [row[3:5] for row in table.rows] == [("-", "-"), ("0.310", "0.086")]
    assert tempered_error(Promotion()) == {}


def test_class_table_counts_rows_if_they_are_recorded() -> None:
    assert class_table("test", METRICS, {"[b]": 1200}).rows == [("[b]", "0.810", "0.790", "0.800", "1,200")]
    assert class_table("test", METRICS, {}).rows[0][-1] == "-"


def test_gate_table_colours_the_verdict() -> None:
    gate = Gate(name="macro_f1", verdict="failed", reason="too low")
    assert gate_table([gate]).rows == [("macro_f1", Cell("failed", "red"), "too low")]
    remedied = replace(gate, remedy="a better model")
    assert gate_table([remedied]).rows[0][2] == "too low; would change it: a better model"
    assert verdict_cell("unheard of") == Cell("unheard of")


def test_markup_in_cells_is_printed_as_it_is() -> None:
    console = Console(file=StringIO(), width=80)
    console.print(rich_table(class_table("test", METRICS, {})))
    assert isinstance(console.file, StringIO)
    assert "[b]" in console.file.getvalue()
