from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.builders import a_run, a_tree
from tests.support.typed import typed

ID = "attention_20261120_120000_a1b2"


def test_csv_has_a_line_per_run_and_a_column_per_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_tree(tmp_path / "outputs", 3)
    a_run(tmp_path / "outputs", location="archived", sweep="s_20261120_110000_beef_sweep", tags=["a", "b"])
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(typed(capsys, tmp_path, "export").out))}
    assert len(rows) == 4
    row = rows[ID]
    assert (row["metrics.test.accuracy"], row["tags"], row["sweep.id"], row["location"], row["pinned"]) == (
        "0.62", "a, b", "s_20261120_110000_beef_sweep", "archived", "False")  # fmt: skip
    assert "sweep" not in row
    assert row["metrics.test.recall.depression"] == "0.58"


def test_json_lines_are_the_records_of_list_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_tree(tmp_path / "outputs", 3)
    lines = typed(capsys, tmp_path, "export", "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == json.loads(typed(capsys, tmp_path, "list", "--json").out)


def test_parquet_preserves_the_types(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    a_tree(tmp_path / "outputs", 3)
    a_run(tmp_path / "outputs", "odd_20261120_120000_0001", imported={"a": 1}, seed=None)
    answer = typed(capsys, tmp_path, "export", "--to", tmp_path / "runs.parquet")
    assert (answer.code, answer.err) == (0, f"4 runs written to {tmp_path / 'runs.parquet'}\n")
    table = parquet.read_table(tmp_path / "runs.parquet")
    types = {name: str(table.schema.field(name).type) for name in ("id", "seed", "metrics.test.accuracy", "pinned")}
    assert types == {"id": "string", "seed": "int64", "metrics.test.accuracy": "double", "pinned": "bool"}
    assert table.num_rows == 4


@pytest.mark.parametrize("name", ["runs.csv", "runs.jsonl"])
def test_suffix_of_the_file_decides_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    a_run(tmp_path / "outputs")
    assert typed(capsys, tmp_path, "export", "--to", tmp_path / name).out == ""
    assert (tmp_path / name).read_text().startswith("id,name" if name.endswith("csv") else '{"')


def test_only_the_selected_runs_are_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_tree(tmp_path / "outputs", 5)
    out = typed(capsys, tmp_path, "export", "--where", "accuracy > 0.502").out
    assert len(out.splitlines()) == 1 + 2


def test_formulas_and_control_characters_are_not_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs", note="=cmd()", description="a\x1b[31m\nb\x9b", tags=["@x"])
    (row,) = csv.DictReader(io.StringIO(typed(capsys, tmp_path, "export").out))
    assert (row["note"], row["description"], row["tags"]) == ("'=cmd()", "a [31m b ", "'@x")
    assert "\x1b" not in typed(capsys, tmp_path, "export", "--format", "jsonl").out


def test_without_runs_the_table_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "outputs").mkdir()
    for form in ("csv", "jsonl"):
        answer = typed(capsys, tmp_path, "export", "--format", form)
        assert (answer.code, answer.out.strip()) == (0, "")
    assert typed(capsys, tmp_path, "export", "--to", tmp_path / "x.parquet").code == 0


def test_parquet_requires_a_file_in_an_existing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs")
    assert typed(capsys, tmp_path, "export", "--format", "parquet").code == 2
    answer = typed(capsys, tmp_path, "export", "--to", tmp_path / "nowhere" / "x.csv")
    assert (answer.code, "There is no folder" in answer.err) == (1, True)
