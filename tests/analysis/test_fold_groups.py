"""Folds of one config as one group: out-of-fold scores in `list --group`, and paired tests in `compare`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mhc.errors import BadInput
from mhc.facts import FoldFacts
from mhc.metrics import measure
from mhc.record import Lineage
from mhc.runs import evidence, store
from mhc.runs.out_of_fold import join
from mhc.statistics.passes import scores
from tests.cli.conftest import Answer
from tests.support.builders import LABELS, a_run, data_facts

ROWS, FOLDS = 200, 5
LABEL_IDS = np.random.default_rng(0).integers(0, 4, ROWS)
IDS = np.random.default_rng(1).integers(0, 256, (ROWS, evidence.ID_BYTES)).astype(np.uint8)
Mhc = Callable[..., Answer]


def predictions(right: float, seed: int) -> np.ndarray:
    """Return probabilities [ROWS, 4] of a model that is right with this probability."""
    random = np.random.default_rng(seed)
    chosen = np.where(random.random(ROWS) < right, LABEL_IDS, random.integers(0, 4, ROWS))
    return np.full((ROWS, 4), 0.1, np.float32) + np.float32(0.6) * np.eye(4, dtype=np.float32)[chosen]


def write_folds(outputs: Path, name: str, right: float, *, repeats: int = 1, without: int | None = None) -> list[Path]:
    """Write one run for each fold of a model, and return their folders."""
    folders = []
    for fold in range(FOLDS * repeats):
        if fold == without:
            continue
        facts = FoldFacts(folds=FOLDS, repeats=repeats, fold=fold, rows=ROWS, fingerprint="f" * 64)
        folder = a_run(
            outputs, f"{name}_20261120_120000_{fold:04d}", group=name, seed=1, data=data_facts(folds=facts),
            f1_macro=right, sweep=f"{name}_sweep", lineage=Lineage(overrides=[f"data.fold={fold}"]),
        )  # fmt: skip
        held_out = np.random.default_rng(fold // FOLDS).permutation(ROWS) % FOLDS == fold % FOLDS
        probabilities = predictions(right, fold // FOLDS)[held_out]
        path = folder / "evaluation" / "test.npz"
        evidence.write(path, IDS[held_out], LABEL_IDS[held_out], probabilities, LABELS)
        folders.append(folder)
    return folders


def groups_of(mhc: Mhc) -> list[dict[str, object]]:
    groups: list[dict[str, object]] = json.loads(mhc("list", "--group", "seed", "--json").out)
    return groups


def test_out_of_fold_score_is_that_of_all_rows(mhc: Mhc, outputs: Path) -> None:
    write_folds(outputs, "good", 0.8)
    [group] = groups_of(mhc)
    expected = measure(LABEL_IDS, predictions(0.8, 0), LABELS)
    scores = group["out_of_fold"]
    assert isinstance(scores, dict)
    assert (scores["rows"], scores["passes"], scores["flaw"]) == (ROWS, 1, "")
    assert scores["accuracy"]["point"] == pytest.approx(expected.accuracy)
    assert scores["f1_macro"]["point"] == pytest.approx(expected.f1_macro)
    assert scores["f1_macro"]["low"] < scores["f1_macro"]["point"] < scores["f1_macro"]["high"]
    shown = mhc("list", "--group", "seed").out.splitlines()
    point, low, high = (f"{scores['f1_macro'][name]:.3f}" for name in ("point", "low", "high"))
    assert shown[0].split("\t")[5] == "out-of-fold F1"
    assert shown[1].split("\t")[5] == f"{point} ({low} to {high})"
    assert group["best"] is None, "the best fold is not the best model"


def test_missing_fold_gives_no_score(mhc: Mhc, outputs: Path) -> None:
    write_folds(outputs, "good", 0.8, without=3)
    answer = mhc("list", "--group", "seed")
    assert answer.out.splitlines()[1].split("\t")[5] == "-"
    assert "Fold 3 is not completed, so its rows have no prediction" in answer.err


def test_further_repeats_do_not_narrow_the_interval(tmp_path: Path) -> None:
    widths = []
    for repeats in (1, 4):
        folders = write_folds(tmp_path / str(repeats), "good", 0.8, repeats=repeats)
        passes = join((folder, store.read(folder)) for folder in folders).passes
        assert len(passes) == repeats
        _, f1 = scores([(part.labels, part.probabilities) for part in passes.values()], 0.95, 2000)
        widths.append(f1.high - f1.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


def test_models_are_compared_on_all_rows_of_the_folds(mhc: Mhc, outputs: Path) -> None:
    write_folds(outputs, "good", 0.9)
    write_folds(outputs, "poor", 0.4)
    answer = mhc("compare", "good_sweep", "poor_sweep", "--json")
    [test] = json.loads(answer.out)["paired"]
    assert (test["split"], test["verdict"]) == ("out-of-fold", "better")
    assert test["comparison"]["examples"] == ROWS
    assert test["comparison"]["picked_from"] == 2
    assert "not comparable" not in mhc("compare", "good_sweep", "poor_sweep").out


def test_folds_of_other_rows_are_refused(tmp_path: Path) -> None:
    good = write_folds(tmp_path, "good", 0.9)
    poor = write_folds(tmp_path, "poor", 0.4)
    runs = [(folder, store.read(folder)) for folder in good + poor]
    with pytest.raises(BadInput, match="several configs"):
        join(runs)
    (good[0] / "evaluation" / "test.npz").write_bytes((good[1] / "evaluation" / "test.npz").read_bytes())
    with pytest.raises(BadInput, match=r"200 predictions of 160 rows instead of 200"):
        join(runs[:FOLDS])
