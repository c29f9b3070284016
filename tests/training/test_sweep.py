"""The end of a sweep: its jobs by what was varied, and what can be done next."""

from __future__ import annotations

from pathlib import Path

import pytest

from mhc.record import Lineage
from mhc.training.sweep import planned_jobs, shown_at_end
from tests.support.builders import a_run
from tests.support.programs import run

SWEEP = "swept_20261120_120000_beef_sweep"
PLAN = "hydra:\n  sweeper:\n    params: null\n  overrides:\n    task:\n    - model.optimizer.lr=0.1,0.2,0.3\n"


def write_jobs(outputs: Path) -> None:
    """Write a sweep of three jobs: one completed, one failed, one not begun."""
    values = {"sweep": SWEEP, "lineage": Lineage(overrides=["model.optimizer.lr=0.1"])}
    for name, lr, status in (("one", 0.1, "completed"), ("two", 0.2, "failed")):
        folder = a_run(outputs, f"{name}_20261120_120000_0001", status=status, status_reason=f"it {status}", **values)
        (folder / ".hydra" / "config.yaml").write_text(f"seed: 1\nmodel:\n  optimizer:\n    lr: {lr}\n")
    (outputs / SWEEP / "multirun.yaml").write_text(PLAN)


def test_end_of_a_sweep_shows_its_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jobs(tmp_path / "outputs")
    with pytest.raises(KeyError), shown_at_end(tmp_path / "outputs" / SWEEP):
        raise KeyError
    assert capsys.readouterr().out.splitlines() == [
        "",
        f"Sweep {SWEEP}",
        "lr\tval F1\ttest F1\tstatus\ttook\trun",
        "0.1\t0.580 *\t0.580\tcompleted\t12m00s\tone_20261120_120000_0001",
        "0.2\t-\t-\tfailed\t12m00s\ttwo_20261120_120000_0001",
        "",
        "status\trun\treason",
        "failed\tlr=0.2\tit failed",
        "",
        "1 of 3 jobs completed, 1 not begun. *: the best macro-F1 on validation",
        f"Compare them with: mhc compare {SWEEP}",
        f"Run the others with: python -m mhc.train resume_sweep={SWEEP}",
    ]


def test_sweep_without_runs_shows_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / SWEEP).mkdir()
    with shown_at_end(tmp_path / SWEEP):
        pass
    assert capsys.readouterr() == ("", "")


def test_damaged_plan_does_not_hide_the_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jobs(tmp_path / "outputs")
    (tmp_path / "outputs" / SWEEP / "multirun.yaml").write_text("[")
    with pytest.raises(KeyError), shown_at_end(tmp_path / "outputs" / SWEEP):
        raise KeyError
    assert "The result of the sweep cannot be shown" in capsys.readouterr().err


def test_plan_has_the_jobs_in_the_order_of_hydra(tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").write_text(PLAN)
    assert planned_jobs(tmp_path) == [[f"model.optimizer.lr=0.{number}"] for number in (1, 2, 3)]
    assert planned_jobs(tmp_path / "elsewhere") == []


@pytest.mark.slow
def test_parallel_sweep_ends_with_its_table(tmp_path: Path) -> None:
    words = [
        "--multirun", "sweep=parallel", "model=linear", "trainer=cpu", "logger=csv",
        "model.solver.folds=3,-1", "data.rows=240", "model.epochs=1", "trainer.precision=32-true", "name=rates",
        f"paths.outputs={tmp_path}/outputs", f"paths.models={tmp_path}/models", f"paths.cache={tmp_path}/cache",
    ]  # fmt: skip
    done = run("mhc.train", *words)
    [sweep] = (tmp_path / "outputs").glob("*_sweep")
    lines = done.stdout.splitlines()
    end = lines[lines.index(f"Sweep {sweep.name}") :]
    assert (done.returncode, end[1]) == (1, "solver.folds\tval F1\ttest F1\tstatus\ttook\trun")
    assert [line.split("\t")[0] for line in end[2:4]] == ["3", "-1"]
    problem = "model.solver.folds is -1; expected `int` >= 2"
    assert f"failed\tsolver.folds=-1\tBadConfig: {problem}" in end
    assert end[-1] == f"Run the others with: python -m mhc.train resume_sweep={sweep.name}"
