"""Values of the config in list, export, search and Python: which learning rate won."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mhc.index import Runs
from tests.cli.conftest import Answer
from tests.support.builders import NOW, a_run

Mhc = Callable[..., Answer]
RECORDED = Path(__file__).parents[1] / "recorded" / "project" / "outputs"


@pytest.fixture
def rates(outputs: Path) -> Path:
    """Write six runs of three learning rates and two seeds; the seed comes from a reference, too."""
    for number, (lr, seed) in enumerate((lr, seed) for lr in ("0.003", "0.001", "1e-4") for seed in (1, 2)):
        folder = a_run(
            outputs, f"rate_20261120_12000{number}_000{number}", created=NOW + timedelta(minutes=number), seed=seed,
            group=f"g{lr}", f1_macro=0.4 + number / 100,
        )  # fmt: skip
        (folder / ".hydra" / "config.yaml").write_text(
            f"model:\n  name: baseline\n  epochs: 3\n  optimizer:\n    lr: {lr}\n  schedule: {{'a b': 1}}\n"
            f"trainer:\n  max_epochs: ${{model.epochs}}\nseed: {seed}\ndata:\n  seed: ${{seed}}\n"
        )
    return outputs


def cells(answer: Answer) -> list[list[str]]:
    assert answer.code == 0, answer.err
    return [line.split("\t") for line in answer.out.splitlines()[1:]]


def test_where_and_columns_take_values_of_the_config(mhc: Mhc, rates: Path) -> None:
    words = ["--where", "lr = 0.003", "--columns", "id,lr,model.optimizer.lr,max_epochs,config.seed"]
    assert cells(mhc("list", *words)) == [
        ["rate_20261120_120001_0001", "0.003", "0.003", "3", "2"],
        ["rate_20261120_120000_0000", "0.003", "0.003", "3", "1"],
    ]


@pytest.mark.parametrize(
    ("condition", "number"),
    [
        ("lr < 0.002 and seed = 2", 2),
        ("config.model.optimizer.lr in (0.003, 1e-4)", 4),
        ("optimizer.lr >= 1e-3 and f1_macro > 0.415", 2),
        ("trainer.max_epochs = 3", 6),
        ("model.epochs is not null and not lr = 0.001", 4),
        ('model.schedule."a b" = 1', 6),
        ("model.optimizer has lr", 6),
        ("lr = high", 0),
    ],
    ids=lambda value: str(value),
)
def test_conditions_join_config_and_record(mhc: Mhc, rates: Path, condition: str, number: int) -> None:
    assert len(cells(mhc("list", "--where", condition, "--columns", "id"))) == number


def test_runs_are_sorted_by_a_value_of_the_config(mhc: Mhc, rates: Path) -> None:
    assert [row[0] for row in cells(mhc("list", "--sort", "lr", "--columns", "lr"))] == [
        "0.003", "0.003", "0.001", "0.001", "0.0001", "0.0001",
    ]  # fmt: skip


def test_groups_by_a_value_have_its_name_and_the_mean(mhc: Mhc, rates: Path) -> None:
    assert [row[:3] for row in cells(mhc("list", "--group", "lr"))] == [
        ["lr=0.0001", "2", "0.445 ± 0.007"],
        ["lr=0.001", "2", "0.425 ± 0.007"],
        ["lr=0.003", "2", "0.405 ± 0.007"],
    ]


def test_seed_groups_are_named_by_what_differs(mhc: Mhc, rates: Path) -> None:
    names = [row[0] for row in cells(mhc("list", "--group", "seed"))]
    assert names == ["rate lr=0.0001", "rate lr=0.001", "rate lr=0.003"]


def test_export_and_pandas_have_the_config(mhc: Mhc, rates: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(mhc("export", "--where", "lr = 1e-4").out)))
    values = [(row["config.model.optimizer.lr"], row["config.data.seed"]) for row in rows]
    assert values == [("0.0001", "2"), ("0.0001", "1")]
    frame = Runs(rates).where("seed = 1").to_pandas()
    assert list(frame["config.model.optimizer.lr"]) == [0.0001, 0.001, 0.003]


def test_ambiguous_name_lists_the_full_names(mhc: Mhc, rates: Path) -> None:
    (a_run(rates, "odd_20261121_120000_0009") / ".hydra" / "config.yaml").write_text("head: {lr: 1}\n")
    answer = mhc("list", "--where", "lr = 1")
    assert (answer.code, answer.err.splitlines()[0]) == (
        1, "'lr' is the end of several names, head.lr, model.optimizer.lr; write one of them in full:"
    )  # fmt: skip
    assert len(cells(mhc("list", "--where", "head.lr = 1"))) == 1


def test_mistyped_value_of_the_config_gets_a_suggestion(mhc: Mhc, rates: Path) -> None:
    assert "did you mean 'optimizer.lr'" in mhc("list", "--columns", "optimizr.lr").err
    assert "did you mean 'model.optimizer.lr'" in mhc("list", "--sort", "config.model.optimizr.lr").err


def test_runs_of_an_earlier_version_have_their_config(mhc: Mhc, outputs: Path) -> None:
    shutil.copytree(RECORDED, outputs, dirs_exist_ok=True)
    assert cells(mhc("list", "--where", "lr = 0.02", "--columns", "name,lr,batch_tokens", "--sort", "name")) == [
        ["encoder", "0.02", "512"],
        ["interrupted", "0.02", "512"],
    ]


def test_json_has_the_config_of_each_run(mhc: Mhc, rates: Path) -> None:
    (record,) = json.loads(mhc("list", "--json", "--where", "lr = 0.003 and seed = 1").out)
    assert record["config"]["trainer"] == {"max_epochs": 3}


EMPTY = ("imported", "tags", "bundles", "promotion.gates", "recall", "failure", "sweep.overrides")


@pytest.mark.parametrize("name", EMPTY)
def test_empty_value_is_null(mhc: Mhc, outputs: Path, name: str) -> None:
    a_run(outputs, accuracy=None, f1_macro=None)
    assert cells(mhc("list", "--where", f"{name} is not null", "--columns", "id")) == []
    assert len(cells(mhc("list", "--where", f"{name} is null", "--columns", "id"))) == 1
    assert cells(mhc("list", "--where", name, "--columns", "id")) == []


def test_recorded_value_is_not_null(mhc: Mhc, outputs: Path) -> None:
    a_run(outputs, imported={"params": {"lr": "0.1"}}, tags=["paper"])
    for name in ("imported", "tags", "recall", "imported.params.lr", "smoke", "metrics"):
        assert len(cells(mhc("list", "--where", f"{name} is not null", "--columns", "id"))) == 1, name
