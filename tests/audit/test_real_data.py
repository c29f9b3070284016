"""The defects that the README of the real data lists, with the same counts. Skipped if the data is not there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mhc.audit import tables, texts
from mhc.audit.examine import examine
from mhc.audit.tables import Wishes

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside the project")


def counts_of(name: str) -> tuple[list[int], dict[tuple[str, str], int]]:
    """Return the rows of train, val and test, and the number of each defect."""
    opened = tables.open_tables({split: DATA / name / f"{split}.csv" for split in ("train", "val", "test")}, Wishes())
    repairs: Counter[str] = Counter()
    splits = {table.split: texts.cleaned(tables.read(table)[0][table.split], table.split, repairs) for table in opened}
    found = texts.findings_of(splits, repairs)
    return [len(split.rows) for split in splits.values()], {(one.what, one.split): one.count for one in found}


def test_goemotions_has_its_repeats_and_conflicts() -> None:
    rows, counts = counts_of("goemotions_group4")
    assert rows == [40030, 5006, 5027]
    assert counts["in_train", "test"] == 41
    assert (counts["duplicates", "train"], counts["conflicts", "train"]) == (205, 23)


def test_dr_imhi_has_one_text_of_val_in_train() -> None:
    rows, counts = counts_of("dr_imhi")
    assert rows == [1003, 430, 405]
    assert (counts["in_train", "val"], ("in_train", "test") in counts) == (1, False)


def test_sad_has_seven_duplicates_and_a_conflict() -> None:
    _, counts = counts_of("sad")
    assert (counts["duplicates", "train"], counts["conflicts", "train"]) == (7, 1)


def test_counsel_chat_has_classes_with_few_rows() -> None:
    audit = examine([DATA / "counsel_chat" / "all.csv"], Wishes(), check_labels=False).audit
    assert sum(split.rows for split in audit.splits.values()) == 815
    assert len({label for split in audit.splits.values() for label in split.labels}) == 29
    assert [finding.what for finding in audit.findings].count("small_classes") == 1
    assert audit.refusal == ""
