"""Real posts, if they are beside the project: their known defects are counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mhc.data.datamodule import TextDataModule
from mhc.data.sources import Files

Make = Callable[..., TextDataModule]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside the project")


def files_of(name: str) -> Files:
    paths = {split: DATA / name / f"{split}.csv" for split in ("train", "val", "test")}
    return Files(**{split: str(path) for split, path in paths.items() if path.exists()})  # type: ignore[arg-type]


def prepared(make: Make, source: Files, **changes: object) -> TextDataModule:
    datamodule = make(source=source, **changes)
    datamodule.prepare()
    return datamodule


@pytest.mark.parametrize(
    ("name", "labels", "cleaning"),
    [
        ("mh4_balanced", 4, {}),
        ("dr_imhi", 2, {"train_texts_in_val": 1}),
        ("sad", 9, {"duplicates_in_train": 6, "conflicting_in_train": 2}),
        (
            "goemotions_group4",
            4,
            {
                "duplicates_in_train": 181,
                "conflicting_in_train": 47,
                "train_texts_in_val": 40,
                "train_texts_in_test": 29,
            },
        ),
    ],
)
def test_data_set_loads_and_its_defects_are_counted(
    make_datamodule: Make, name: str, labels: int, cleaning: dict[str, int]
) -> None:
    facts = prepared(make_datamodule, files_of(name)).facts()
    assert facts.name == name
    assert len(facts.labels) == labels
    assert facts.cleaning == cleaning
    assert set(facts.splits) == {"train", "val", "test"}


def test_rare_labels_of_a_heavy_tail_can_be_dropped(make_datamodule: Make) -> None:
    source = Files(train=str(DATA / "counsel_chat" / "all.csv"), split="orig_split", group="question_id")
    facts = prepared(make_datamodule, source, cleaning={"rare_labels": "drop"}).facts()
    assert len(facts.labels) == 27
    assert facts.cleaning == {"rare_labels": 2}
