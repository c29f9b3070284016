"""mhc compare: differences first, metrics, seed groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy import stats

from mhc.facts import SplitFacts
from mhc.index.seed_groups import spread, t_quantile
from mhc.policy import load
from mhc.record import Lineage, MetricsBySplit
from mhc.runs import evidence
from mhc.runs.evidence import example_id
from mhc.statistics.paired_comparison import Comparison, compare, joint_table
from tests.cli.conftest import Answer, Screen
from tests.support.builders import a_run, data_facts, metrics

Mhc = Callable[..., Answer]


def test_compare_shows_what_differs_first_and_counts_the_rest(mhc: Mhc, tree: Path) -> None:
    answer = mhc("compare", "a1b2", "c3d4", "e5f6")
    lines = answer.out.splitlines()
    assert lines[1:5] == [
        "What differs",
        "\tattention_20261120_120000_a1b2\tfocal_20261120_130000_c3d4\tfocal_20261120_140000_e5f6",
        "seed\t1\t2\t3",
        "model.name\tbaseline\tmedium\tbaseline",
    ]
    assert "test.f1_macro\t0.58\t0.66 *\t0.4" in lines
    group = "focal\t3\t0.547 ± 0.133\t0.216 to 0.877\t0.547 ± 0.133\tmh4_balanced\tfocal_20261120_130000_c3d4"
    assert group in lines
    assert "other values are the same" in answer.err
    assert "trainer.max_epochs\t4\t4\t4" in mhc("compare", "a1b2", "c3d4", "e5f6", "--all").out


def test_compare_in_json_names_each_difference_by_run(mhc: Mhc, tree: Path) -> None:
    answer = json.loads(mhc("compare", "a1b2", "c3d4", "--json").out)
    first, second = "attention_20261120_120000_a1b2", "focal_20261120_130000_c3d4"
    assert [record["id"] for record in answer["runs"]] == [first, second]
    assert answer["differs"]["seed"] == {first: 1, second: 2}
    assert answer["groups"][0]["f1_macro"]["number"] == 3


def test_run_without_a_config_is_compared_by_its_overrides(mhc: Mhc, outputs: Path) -> None:
    (a_run(outputs, "one") / ".hydra" / "config.yaml").unlink()
    (a_run(outputs, "two", model="medium") / ".hydra" / "config.yaml").write_bytes(b"\xff: [broken")
    assert "model\tbaseline\tmedium" in mhc("compare", "one", "two").out.splitlines()


def test_compare_requires_two_runs(mhc: Mhc, tree: Path) -> None:
    answer = mhc("compare", "a1b2", "attention_2026")
    assert (answer.code, answer.err[:44]) == (1, "A comparison needs two runs; attention_20261")


@pytest.mark.parametrize("columns", [80, 120])
def test_comparison_fits_the_terminal(terminal: Callable[..., Screen], tree: Path, columns: int) -> None:
    words = ["a1b2", "c3d4", "e5f6", "debug_loader", "gone", "cut", "old", "broken"]
    screen = terminal("compare", *words, "--all", columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 10, 30, 99, 1000, 1001, 100_000])
@pytest.mark.parametrize("probability", [0.9, 0.975, 0.995])
def test_quantiles_of_t_are_those_of_scipy(probability: float, freedom: int) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-8)


def test_interval_of_the_mean_is_that_of_scipy() -> None:
    values = [0.61, 0.58, 0.66, 0.7, 0.59]
    result = spread(values)
    assert result
    low, high = stats.t.interval(0.95, 4, loc=result.mean, scale=stats.sem(values))
    assert (result.low, result.high) == (pytest.approx(low), pytest.approx(high))
    assert spread([]) is None
    assert spread([0.5]) == (1, 0.5, None, None, None)


@pytest.mark.parametrize(
    ("values", "ends"), [([0.5, 0.9], (0.0, 1.0)), ([0.9, 0.96], (pytest.approx(0.549, abs=1e-3), 1.0))]
)
def test_interval_of_a_score_ends_at_0_and_1(values: list[float], ends: tuple[float, float]) -> None:
    result = spread(values)
    assert result
    assert (result.low, result.high) == ends


def a_scored_run(outputs: Path, name: str, lr: float, wrong: int, **record: Any) -> Path:
    """Write a run with evidence of 40 val and 40 test rows, of which `wrong` are predicted wrongly."""
    id = f"{name}_20261120_120000_{name[-1] * 4}"
    scores = metrics(1 - wrong / 40, 1 - wrong / 40)
    folder = a_run(outputs, id, metrics=MetricsBySplit(val=scores, test=scores), **record)
    (folder / ".hydra" / "config.yaml").write_text(f"seed: 1\nmodel:\n  optimizer:\n    lr: {lr}\n")
    labels = np.arange(40) % 2
    predicted = np.where(np.arange(40) < wrong, 1 - labels, labels)
    for split in ("val", "test"):
        ids = np.frombuffer(b"".join(example_id(f"{split} {i}", b"key") for i in range(40)), np.uint8).reshape(-1, 16)
        probabilities = np.where(np.arange(2) == predicted[:, None], 0.9, 0.1)
        evidence.write(folder / "evaluation" / f"{split}.npz", ids, labels, probabilities, ["no", "yes"])
    return folder


@pytest.fixture
def sweep(outputs: Path) -> Path:
    """Write a sweep of four learning rates, of which one job has failed."""
    values: dict[str, Any] = {"sweep": "search_20261120_120000_beef_sweep"}
    for name, lr, wrong in (("run_a", 0.1, 20), ("run_b", 0.01, 2), ("run_c", 0.001, 3)):
        a_scored_run(outputs, name, lr, wrong, lineage=Lineage(overrides=[f"model.optimizer.lr={lr}"]), **values)
    failed = a_run(
        outputs, "run_d_20261120_120000_dddd", status="failed", status_reason="BadConfig: lr is -1.0", data=None,
        lineage=Lineage(overrides=["model.optimizer.lr=-1.0"]), **values,
    )  # fmt: skip
    (failed / ".hydra" / "config.yaml").write_text("seed: 1\nmodel:\n  optimizer:\n    lr: -1.0\n")
    return outputs


def test_sweep_is_compared_by_what_was_varied(mhc: Mhc, sweep: Path) -> None:
    answer = mhc("compare", "search_2026")
    lines = answer.out.splitlines()
    assert lines[:5] == [
        "lr\tval F1\ttest F1\tstatus\ttook\trun",
        "0.01\t0.950 *\t0.950\tcompleted\t12m00s\trun_b_20261120_120000_bbbb",
        "0.001\t0.925\t0.925\tcompleted\t12m00s\trun_c_20261120_120000_cccc",
        "0.1\t0.500\t0.500\tcompleted\t12m00s\trun_a_20261120_120000_aaaa",
        "-1\t-\t-\tfailed\t12m00s\trun_d_20261120_120000_dddd",
    ]
    assert "failed\tlr=-1\tBadConfig: lr is -1.0" in lines
    assert "Paired tests of lr=0.01 (run_b_20261120_120000_bbbb)" in lines
    verdicts = {tuple(line.split("\t")[:2]): line.split("\t")[-1] for line in lines[lines.index("") :]}
    assert verdicts["lr=0.1", "val"] == verdicts["lr=0.1", "test"] == "better"
    assert verdicts["lr=0.001", "val"] == "not told apart"
    assert "corrected for the best of 3" in answer.err


def test_paired_test_is_that_of_the_gates(mhc: Mhc, sweep: Path) -> None:
    answer = json.loads(mhc("compare", "aaaa", "bbbb", "--json").out)
    val, test = answer["paired"]
    labels, wrong_a, wrong_b = np.arange(40) % 2, np.arange(40) < 20, np.arange(40) < 2
    joint = joint_table(labels, labels ^ wrong_a, labels ^ wrong_b, 2)
    promotion = load().promotion
    expected = compare(joint, promotion.champion.level, 1, promotion.resamples, np.random.default_rng(0))
    assert (val["split"], test["split"]) == ("val", "test")
    assert msgspec.convert(test["comparison"], Comparison) == expected
    assert (test["incumbent"][-4:], test["challenger"][-4:], test["verdict"]) == ("aaaa", "bbbb", "better")


def test_where_selects_the_runs_to_compare(mhc: Mhc, sweep: Path) -> None:
    lines = mhc("compare", "--where", "lr > 0 and lr < 0.05").out.splitlines()
    assert [line.split("\t")[0] for line in lines[:4]] == ["lr", "0.01", "0.001", ""]
    assert mhc("compare", "--where", "lr > 7").err == f"No run in {sweep} fits 'lr > 7'. See the runs with: mhc list\n"
    assert mhc("compare").code == 2


def test_best_value_is_marked(mhc: Mhc, sweep: Path) -> None:
    lines = mhc("compare", "aaaa", "bbbb").out.splitlines()
    assert "val.f1_macro\t0.5\t0.95 *" in lines
    assert "val.loss\t0.91\t0.91" in lines
    best = json.loads(mhc("compare", "aaaa", "bbbb", "--json").out)["best"]
    assert best["val.f1_macro"] == ["run_b_20261120_120000_bbbb"]


def test_scores_on_different_data_have_no_best(mhc: Mhc, sweep: Path) -> None:
    data = data_facts(splits={"val": SplitFacts(rows=40, fingerprint="other", labels={})})
    a_scored_run(sweep, "run_e", 0.5, 0, data=data)
    lines = mhc("compare", "aaaa", "eeee").out.splitlines()
    assert "val.f1_macro\t0.5\t1" in lines
    assert json.loads(mhc("compare", "aaaa", "eeee", "--json").out)["best"] == {}


def test_run_without_evidence_is_not_comparable(mhc: Mhc, sweep: Path) -> None:
    assert "not comparable: No evidence at" in mhc("compare", "aaaa", "dddd").out


@pytest.mark.parametrize("words", [["compare", "torn", "aaaa"], ["details", "aaaa", "--diff", "torn"]], ids=" ".join)
def test_unreadable_record_is_named_by_compare(mhc: Mhc, sweep: Path, words: list[str]) -> None:
    (a_run(sweep, "torn") / "run.json").write_bytes(b"{")
    answer = mhc(*words)
    assert (answer.code, "torn cannot be read" in answer.err, "bug" in answer.err) == (1, True, False)
    assert mhc("compare", "search_2026").code == 0


def test_details_in_json_name_an_unreadable_record(mhc: Mhc, outputs: Path) -> None:
    (a_run(outputs, "torn") / "run.json").write_bytes(b"{")
    answer = mhc("details", "torn", "--json")
    assert (answer.code, answer.out, "cannot be read" in answer.err) == (1, "", True)


@pytest.mark.parametrize("columns", [80, 120])
def test_table_of_a_sweep_fits_the_terminal(terminal: Callable[..., Screen], sweep: Path, columns: int) -> None:
    screen = terminal("compare", "search_2026", columns=columns)
    assert screen.code == 0, screen.text
    assert max(map(len, screen.lines)) <= columns
    head = next(line for line in screen.lines if "val F1" in line)
    assert head.split() == ["lr", "val", "F1", "test", "F1", "status", "took", "run"]
