"""Cross-validation: how train is cut into folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mhc.data.cleaning import Rows
from mhc.data.datamodule import TextDataModule
from mhc.data.folds import assign, check, cut
from mhc.data.options import Splitting
from mhc.data.sources import Files
from mhc.errors import BadConfig, BadInput
from tests.data.conftest import SPLITTING, some_rows, write_csv


def make_rows(count: int = 100, authors: int | None = None) -> Rows:
    return Rows(
        texts=[f"text {row}" for row in range(count)],
        labels=["rare" if row % 10 == 0 else "common" for row in range(count)],
        groups=None if authors is None else [f"author {row % authors}" if row % 9 else None for row in range(count)],
    )


def options(**changes: object) -> Splitting:
    return msgspec.convert(SPLITTING | {"folds": 5, "fold": 0} | changes, Splitting)


def test_each_row_is_held_out_once_and_folds_are_stratified() -> None:
    rows = make_rows()
    parts = [cut({"train": rows}, options(fold=fold))[0] for fold in range(5)]
    assert sorted(text for part in parts for text in part["test"].texts) == sorted(rows.texts)
    assert [Counter(part["test"].labels) for part in parts] == [Counter(common=18, rare=2)] * 5
    for part in parts:
        assert sorted(text for rows_of in part.values() for text in rows_of.texts) == sorted(rows.texts)
        assert set(part["val"].labels) == {"rare", "common"}, "val for early stopping is cut from the others"


@pytest.mark.parametrize("authors", [None, 25])
def test_folds_do_not_depend_on_the_order_of_the_rows(authors: int | None) -> None:
    rows = make_rows(authors=authors)
    order = np.random.default_rng(1).permutation(len(rows))
    assert (assign(rows.take(order.tolist()), 5, "mhc") == assign(rows, 5, "mhc")[order]).all()
    assert (assign(rows, 5, "mhc") != assign(rows, 5, "another")).any()
    assert (assign(rows, 5, "mhc") != assign(rows, 5, "mhc", repeat=1)).any()


def test_texts_of_an_author_and_equal_texts_are_in_one_fold() -> None:
    rows = make_rows(authors=25)
    texts = [*rows.texts[:-1], rows.texts[0].upper()]  # the first and the last text have no author
    assigned = assign(Rows(texts=texts, labels=rows.labels, groups=rows.groups), 5, "mhc")
    for author in {*(rows.groups or ())} - {None}:
        assert len({fold for fold, group in zip(assigned, rows.groups or (), strict=True) if group == author}) == 1
    assert assigned[0] == assigned[-1]


def test_given_test_is_left_out_of_folds_and_given_val_stays() -> None:
    given = {"train": make_rows(), "val": make_rows(7), "test": make_rows(9)}
    parts, origins, facts = cut(given, options(fold=3))
    assert (parts["val"], origins["test"], len(parts["test"])) == (given["val"], "fold 3 of train", 20)
    assert (facts.fold, facts.repeat, facts.rows) == (3, 0, 100)
    assert cut(given, options(fold="all"))[0] == given
    assert cut({"train": make_rows()}, options(fold=7, fold_repeats=2))[2].repeat == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fold": None}, "data.folds=5 needs data.fold: 0 to 4, or all"),
        ({"fold": 10, "fold_repeats": 2}, "data.fold=10 is not one of the folds 0 to 9"),
        ({"folds": None}, "data.fold=0 needs the number of folds"),
    ],
)
def test_fold_that_does_not_exist_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        check(options(**changes))


def test_label_with_fewer_rows_than_folds_is_refused() -> None:
    with pytest.raises(BadInput, match=r"The label 'rare' has 2 rows in train, fewer than data\.folds=5"):
        assign(make_rows(20), 5, "mhc")
    with pytest.raises(BadInput, match=r"Train has 3 authors, fewer than data\.folds=5"):
        assign(Rows(texts=list("abcdef") * 2, labels=["x"] * 12, groups=["1", "2", "3"] * 4), 5, "mhc")


def test_folds_of_a_file_are_recorded(tmp_path: Path, make_datamodule: Callable[..., TextDataModule]) -> None:
    test = write_csv(tmp_path / "test.csv", [("another text", "normal")])
    source = Files(train=str(write_csv(tmp_path / "train.csv", some_rows())), test=str(test))
    facts = []
    for fold in (0, 1):
        data = make_datamodule(source=source, splitting={"folds": 3, "fold": fold}, folds=3, fold=fold)
        data.prepare()
        facts.append(data.facts())
    assert [fact.folds.fold for fact in facts if fact.folds] == [0, 1]
    assert len({fact.folds.fingerprint for fact in facts if fact.folds}) == 1
    assert facts[0].splits["test"].rows == 20
    assert facts[0].splits["test"].fingerprint != facts[1].splits["test"].fingerprint
