"""`experiment=cv`: one training per fold, and one on all rows afterwards."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mhc.errors import BadConfig, BadInput
from mhc.facts import Refit
from mhc.metrics import measure
from mhc.policy import load
from mhc.production import gates
from mhc.production.measure import measure as inputs_of
from mhc.record import RunRecord
from mhc.runs import evidence, folders, store
from mhc.training import all_rows, refit
from mhc.training.config import fold_range, without_seed_and_paths
from tests.data.conftest import write_csv
from tests.support.builders import a_run, data_facts
from tests.support.programs import run

WORDS = {"calm": ["sun", "walk", "tea", "rest"], "upset": ["storm", "noise", "exam", "crowd"]}


def some_texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Return texts of two labels whose words tell most of them apart."""
    rng = random.Random(seed)
    labels = [("calm", "upset")[row % 2] for row in range(count)]
    words = ["and", "then", "again", *WORDS["calm"], *WORDS["upset"]]
    chosen = [rng.choices(WORDS[label] + words, k=6) for label in labels]
    return [
        (f"{' '.join(text)} {seed}{row}", label) for row, (text, label) in enumerate(zip(chosen, labels, strict=True))
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Train three folds and then on all rows, with a test file; return the folder and the output."""
    root = tmp_path_factory.mktemp("folds")
    train = write_csv(root / "train.csv", some_texts(90, 1))
    test = write_csv(root / "test.csv", some_texts(40, 2))
    words = [
        "experiment=cv", "refit=true", "data.folds=3", "model=linear", "data=files",
        f"data.train={train}", f"data.test={test}", "trainer=cpu", "logger=csv", "report=false",
        f"paths.outputs={root}/outputs", f"paths.models={root}/models", f"paths.cache={root}/cache",
    ]  # fmt: skip
    done = run("mhc.train", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    return root, done.stdout + done.stderr


def records(root: Path) -> tuple[list[RunRecord], tuple[Path, RunRecord]]:
    """Return the records of the folds in their order, and the run on all rows."""
    runs = [(folder, store.read(folder)) for folder, _ in folders.iter_runs(root / "outputs")]
    folds = {record.data.folds.fold: record for _, record in runs if record.data and record.data.folds}
    [on_all_rows] = [(folder, record) for folder, record in runs if record.refit]
    return [folds[number] for number in range(3)], on_all_rows


@pytest.mark.slow
def test_folds_are_one_group_and_hold_out_each_row_once(trained: tuple[Path, str]) -> None:
    folds, (_, on_all_rows) = records(trained[0])
    assert len({record.group for record in folds}) == 1
    assert on_all_rows.group not in {record.group for record in folds}
    assert [record.data.splits["test"].rows for record in folds if record.data] == [30, 30, 30]
    assert "out-of-fold F1" in trained[1]


@pytest.mark.slow
def test_record_says_that_the_score_is_that_of_the_folds(trained: tuple[Path, str]) -> None:
    folds, (folder, record) = records(trained[0])
    assert record.refit is not None
    assert record.data is not None
    joined = evidence.read(folder / "evaluation" / evidence.FOLDS_FILE)
    expected = measure(joined.labels.copy(), joined.probabilities.copy(), joined.label_names)
    assert record.refit.metrics.f1_macro == pytest.approx(expected.f1_macro)
    assert (record.refit.runs, record.refit.rows, record.refit.epochs) == ([fold.id for fold in folds], 90, 1)
    assert record.refit.f1_macro is not None
    assert record.refit.f1_macro.low < (expected.f1_macro or 0) < record.refit.f1_macro.high
    assert {name: split.rows for name, split in record.data.splits.items()} == {"train": 90, "test": 40}
    assert f"its score is that of the folds of {record.refit.sweep}" in trained[1]


@pytest.mark.slow
def test_gates_judge_on_the_test_file_and_not_on_the_folds(trained: tuple[Path, str]) -> None:
    root = trained[0]
    _, (folder, record) = records(root)
    inputs = inputs_of(folder, record, outputs=root / "outputs", models=root / "models", policy=load().promotion)
    assert inputs.scores is not None
    assert inputs.scores.examples == 40
    assert inputs.scores.temperature is not None, "fitted on the out-of-fold predictions"


def test_run_on_all_rows_without_a_test_is_no_candidate(tmp_path: Path) -> None:
    splits = {"train": data_facts().splits["train"]}
    folder = a_run(
        tmp_path, data=data_facts(splits=splits), refit=Refit(sweep="cv_20261120_120000_beef_sweep", rows=8000)
    )
    policy = load().promotion
    inputs = inputs_of(folder, store.read(folder), outputs=tmp_path, models=tmp_path / "models", policy=policy)
    [accuracy] = [gate for gate in gates.judge(inputs, policy) if gate.name == "accuracy"]
    assert accuracy.verdict == "not enough evidence"
    assert accuracy.reason == (
        "the run was trained on all rows and has no test split of its own: macro-F1 0.000 is that of the folds of "
        "cv_20261120_120000_beef_sweep, which are other models; give data.test to the cross-validation"
    )


def test_refit_takes_no_other_values(tmp_path: Path) -> None:
    assert refit.requested_action(["experiment=cv", "refit=true"]) is None
    assert refit.requested_action(["refit=cv_sweep", "seed=3", f"paths.outputs={tmp_path}"]) is not None
    with pytest.raises(BadConfig, match=r"refit=cv_sweep uses the config of the folds and cannot be combined"):
        refit.requested_action(["refit=cv_sweep", "model=large"])


def test_refit_of_a_run_that_is_no_fold_is_refused(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    with pytest.raises(BadInput, match="is no fold of a cross-validation"):
        all_rows.train_on_all_rows(folder.name, {"paths.outputs": str(tmp_path)})


def test_folds_differ_from_each_other_as_seeds_do() -> None:
    assert without_seed_and_paths({"fold": 3, "seed": 1, "folds": 5}) == {"folds": 5}
    assert without_seed_and_paths({"fold": "all"}) == {"fold": "all"}
    assert fold_range(5, 2) == "range(0,10)"


def test_a_damaged_config_asks_for_no_refit(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("refit: [true\n")
    assert not refit.is_asked_for(tmp_path)
