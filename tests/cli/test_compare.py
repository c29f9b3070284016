"""mhc compare: differences first, metrics, seed groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy import stats

from mhc.index.seed_groups import spread, t_quantile
from tests.cli.conftest import Answer, Screen
from tests.support.builders import a_run

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
