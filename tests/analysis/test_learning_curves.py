"""Learning curves are those of the training, whatever is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mhc.analysis import learning_curves
from tests.support.measured import curves

NAMES = ("val/loss", "val/f1_macro")


def write(folder: Path, rows: list[tuple[int, str, float]]) -> None:
    lines = ["step,metric,value", *(f"{step},{name},{value}" for step, name, value in rows)]
    (folder / "metrics.csv").write_text("\n".join(lines))


def test_pass_after_the_training_is_no_point(tmp_path: Path) -> None:
    write(tmp_path, curves(2.0))
    read = learning_curves.read(tmp_path, NAMES)
    assert read["val/loss"] == [(9, 1.5), (19, 0.75), (29, 0.5)]
    assert [step for step, _ in read["val/f1_macro"]] == [9, 19, 29]


def test_points_of_a_resumed_run_are_in_order_of_steps(tmp_path: Path) -> None:
    write(tmp_path, [(19, "val/loss", 0.7), (9, "val/loss", 1.5), (9, "val/loss", 8.0)])
    assert learning_curves.read(tmp_path, NAMES) == {"val/loss": [(9, 1.5), (19, 0.7)]}


@pytest.mark.parametrize(
    "content",
    [b"", b"step,metric,value\n1,val/loss\n", b"x,val/loss,1\n1,val/loss,nan\n1,val/loss,x\n", b"\xff\x00\x01,,\n"],
    ids=["empty", "cut", "no number", "random"],
)
def test_damaged_rows_are_no_points(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.csv").write_bytes(content)
    assert not any(learning_curves.read(tmp_path, NAMES).values())


def test_missing_file_gives_no_curves(tmp_path: Path) -> None:
    assert learning_curves.read(tmp_path, NAMES) == {}
