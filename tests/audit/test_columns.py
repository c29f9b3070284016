"""Which columns look like text, label, author and split; which file is of which split."""

from __future__ import annotations

from pathlib import Path

import pytest

from mhc.audit import columns
from mhc.audit.tables import splits_of
from mhc.errors import BadInput

TEXTS = [f"today I walked to the lake and thought about number {row}" for row in range(40)]
LABELS = ["sad", "ok"] * 20
IDS = [str(row) for row in range(40)]


def roles(**values: list[str]) -> tuple[list[str], str | None, str | None, str | None]:
    profiles = columns.named_columns(list(values), values)
    texts = columns.text_columns(profiles)
    label = columns.label_column(profiles, texts)
    taken = [*texts, *([label] if label else [])]
    return texts, label, columns.author_column(profiles, taken), columns.split_column(profiles, taken)


def test_text_and_label_are_found_under_any_name() -> None:
    assert roles(a=IDS, b=TEXTS, c=LABELS) == (["b"], "c", None, None)


def test_title_is_joined_with_the_body() -> None:
    titles = [f"a title, number {row}" for row in range(40)]
    assert roles(id=IDS, title=titles, selftext=TEXTS, subreddit=LABELS)[:2] == (["title", "selftext"], "subreddit")


def test_author_and_split_are_found() -> None:
    splits = (["train"] * 6 + ["dev", "test"]) * 5
    found = roles(user_id=[f"u{row % 7}" for row in range(40)], post=TEXTS, label=LABELS, fold=splits)
    assert found == (["post"], "label", "user_id", "fold")


def test_ids_of_rows_are_no_authors() -> None:
    assert roles(pid=IDS, text=TEXTS, label=LABELS) == (["text"], "label", None, None)


def test_label_is_not_the_column_with_more_repeats() -> None:
    assert roles(score=["1", "2", "3", "4"] * 10, text=TEXTS, label=LABELS)[1] == "label"


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["anything.csv"], {"train": "anything.csv"}),
        (["test.csv", "train.csv"], {"train": "train.csv", "test": "test.csv"}),
        (["posts_dev.tsv", "posts_test.tsv"], {"train": "posts_dev.tsv", "test": "posts_test.tsv"}),
        (["a.csv", "b.csv"], {"train": "a.csv", "test": "b.csv"}),
        (["a.csv", "a_valid.csv", "a_test.csv"], {"train": "a.csv", "val": "a_valid.csv", "test": "a_test.csv"}),
    ],
    ids=["one", "named", "dev and test", "unnamed", "three"],
)
def test_split_is_told_by_the_name_of_the_file(names: list[str], splits: dict[str, str]) -> None:
    assert splits_of(list(map(Path, names))) == {split: Path(name) for split, name in splits.items()}


def test_two_files_of_one_split_are_refused() -> None:
    with pytest.raises(BadInput, match=r"both taken for test"):
        splits_of([Path("train.csv"), Path("a_test.csv"), Path("b_test.csv")])
