"""Order of runs by scores: by validation, and never across data sets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mhc.facts import SplitFacts
from mhc.record import MetricsBySplit
from tests.cli.conftest import Answer
from tests.support.builders import LABELS, NOW, a_run, data_facts, metrics

Mhc = Callable[..., Answer]


def a_scored_run(outputs: Path, name: str, val: float, test: float, data: str = "posts", minutes: int = 0) -> None:
    splits = {
        split: SplitFacts(rows=100, fingerprint=f"{data}-{split}-" * 8, labels=dict.fromkeys(LABELS, 25))
        for split in ("train", "val", "test")
    }
    a_run(
        outputs, f"{name}_20261120_120000_0001", created=NOW + timedelta(minutes=minutes), candidate=True, group=name,
        data=data_facts(name=data.split("/")[0], splits=splits), model=name,
        metrics=MetricsBySplit(val=metrics(f1_macro=val), test=metrics(f1_macro=test)),
    )  # fmt: skip


@pytest.fixture
def scored(outputs: Path) -> Path:
    """Write runs on two data sets; on each, the best on validation is not the best on test."""
    a_scored_run(outputs, "lucky", val=0.5, test=0.9)
    a_scored_run(outputs, "good", val=0.6, test=0.8)
    a_scored_run(outputs, "easy", val=0.95, test=0.96, data="reviews", minutes=1)
    return outputs


def test_summary_ranks_each_data_set_by_validation(mhc: Mhc, scored: Path) -> None:
    assert mhc("summary").out.splitlines()[2:] == [
        "best on reviews, by macro-F1 on validation:",
        "  easy_20261120_120000_0001  val 0.950  test 0.960",
        "best on posts, by macro-F1 on validation:",
        "  good_20261120_120000_0001  val 0.600  test 0.800",
        "  lucky_20261120_120000_0001  val 0.500  test 0.900",
    ]
    assert list(json.loads(mhc("summary", "--json").out)["best"]) == ["reviews", "posts"]


def test_candidates_rank_each_data_set_by_validation(mhc: Mhc, scored: Path) -> None:
    lines = [line.split("\t")[0] for line in mhc("candidates").out.splitlines() if line]
    easy, good, lucky = (f"{name}_20261120_120000_0001" for name in ("easy", "good", "lucky"))
    assert lines == ["On reviews", "id", easy, "On posts", "id", good, lucky]
    limited = json.loads(mhc("candidates", "--limit", "1", "--json").out)
    assert [record["id"] for record in limited] == [easy, good]


def test_groups_rank_each_data_set_by_validation(mhc: Mhc, scored: Path) -> None:
    groups = json.loads(mhc("list", "--group", "model", "--json").out)
    assert [(group["data"], group["group"]) for group in groups] == [
        ("reviews", "easy"),
        ("posts", "good"),
        ("posts", "lucky"),
    ]


def test_data_sets_of_one_name_are_told_apart(mhc: Mhc, scored: Path) -> None:
    a_scored_run(scored, "other", val=0.7, test=0.7, data="posts/2", minutes=2)
    best = json.loads(mhc("summary", "--json").out)["best"]
    assert list(best) == ["posts (posts/2-)", "reviews", "posts (posts-va)"]


def test_order_by_a_score_warns_of_different_data(mhc: Mhc, scored: Path) -> None:
    assert "scored on 2 different test splits" in mhc("list", "--sort", "f1_macro").err
    assert "scored on 2 different val splits" in mhc("list", "--sort", "val.f1_macro").err
    assert "different" not in mhc("list", "--sort", "f1_macro", "--where", "data = posts").err
    assert "different" not in mhc("list").err


def test_copied_folder_is_named(mhc: Mhc, outputs: Path) -> None:
    folder = a_run(outputs)
    shutil.copytree(folder, outputs / "copy")
    sentence = f"The id {folder.name} is there twice: {folder}, {outputs / 'copy'}. Move the copies out of {outputs}"
    for words in (["list"], ["summary"], ["candidates"], ["export"], ["list", "--json"]):
        answer = mhc(*words)
        assert (answer.code, sentence in answer.err.splitlines()) == (0, True), words
    shutil.rmtree(outputs / "copy")
    assert "twice" not in mhc("list").err


def test_bundle_is_no_copy_of_its_run(mhc: Mhc, outputs: Path) -> None:
    folder = a_run(outputs)
    shutil.copytree(folder, outputs.parent / "models" / "production" / "bundle")
    assert "twice" not in mhc("list").err
