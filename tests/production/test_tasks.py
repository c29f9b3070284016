"""Labels that differ from the champion's on the same data: asked for, compared on what both know, one champion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from mhc.errors import BadInput, Refused
from mhc.inference.predictor import Predictor
from mhc.production import baselines, ledger, state
from mhc.production.api import Registry
from mhc.production.decision import PromotionRecord, Request
from mhc.production.promote import Verdict, judge, promote
from mhc.record import Gate, encode
from mhc.runs import evidence, store
from tests.support.promotions import LABELS, NOW, World, a_trained_run, policy

Folders = tuple[Path, Path]
RENAMED = [*LABELS[:3], "Suicidal"]


@pytest.mark.parametrize(
    ("labels", "answers", "common", "proposals"),
    [
        (["sad", "ok"], {}, {"sad": "sad", "ok": "ok"}, {}),
        (["Sad", "ok"], {}, {"ok": "ok"}, {"Sad": "sad"}),
        (["Sad", "ok"], {"Sad": "sad"}, {"Sad": "sad", "ok": "ok"}, {}),
        (["sad", "ok", "ptsd"], {}, {"sad": "sad", "ok": "ok"}, {"ptsd": "new"}),
        (["sad", "ok", "ptsd"], {"ptsd": "new"}, {"sad": "sad", "ok": "ok"}, {}),
        (["ok", "low"], {}, {"ok": "ok"}, {"low": "new", "sad": "removed"}),
        (["ok", "low"], {"low": "new", "sad": "removed"}, {"ok": "ok"}, {}),
        (["ok", "mild", "severe"], {"mild": "sad", "severe": "sad"}, {"ok": "ok", "mild": "sad", "severe": "sad"}, {}),
    ],
)  # fmt: skip
def test_labels_are_common_new_removed_or_open(
    labels: list[str], answers: dict[str, str], common: dict[str, str], proposals: dict[str, str]
) -> None:
    known = ["sad", "ok"]
    assert baselines.common_labels(labels, known, answers) == common
    assert baselines.open_labels(labels, known, answers) == proposals


@pytest.mark.parametrize("answers", [{"glad": "sad"}, {"low": "glad"}, {"low": "removed"}, {"sad": "new"}])
def test_answer_about_other_labels_is_refused(answers: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"does not fit. Give a label of the run"):
        baselines.common_labels(["ok", "low"], ["sad", "ok"], answers)


def test_question_has_the_words_to_paste() -> None:
    question = baselines.question(["Sad", "no risk", "ok"], ["sad", "ok"], {}, "v1")
    assert "--labels 'Sad=sad,no risk=new'" in question


def promote_run(run: Path, folders: Folders, **changes: Any) -> PromotionRecord:
    request = Request(run=run, **({"by": "ada", "reason": "best of the week"} | changes))
    return promote(request, outputs=folders[0], models=folders[1], policy=policy(), now=NOW)


def judge_run(run: Path, folders: Folders, **changes: Any) -> Verdict:
    request = Request(run=run, by="", reason="", **changes)
    return judge(request, outputs=folders[0], models=folders[1], policy=policy())


def gate_of(verdict: Verdict | PromotionRecord, name: str) -> Gate:
    [gate] = [gate for gate in verdict.gates if gate.name == name]
    return gate


def with_labels(run: Path, names: list[str], rows: Mapping[int, int] | None = None) -> Path:
    """Give the labels of a run's record and evidence other names; `rows` changes the labels of test examples."""
    record = store.read(run)
    assert record.data is not None
    high_risk = [names[LABELS.index(label)] for label in record.data.high_risk]
    facts = replace(record.data, labels=names, high_risk=high_risk)
    (run / "run.json").write_bytes(encode(replace(record, data=facts)))
    for split in ("val", "test"):
        path = run / "evaluation" / f"{split}.npz"
        old = evidence.read(path)
        labels, extra = old.labels.copy(), len(names) - len(LABELS)
        for row, label in (rows or {}).items() if split == "test" else ():
            labels[row] = label
        evidence.write(path, old.ids, labels, np.pad(old.probabilities, ((0, 0), (0, extra))), names)
    return run


@pytest.fixture
def weak_champion(world: World, folders: Folders) -> PromotionRecord:
    run = a_trained_run(*folders, world, "weak_20261120_120000_aaaa", quality="weak", data={"high_risk": ["suicidal"]})
    return promote_run(run, folders)


def a_renamed_run(world: World, folders: Folders) -> Path:
    return with_labels(a_trained_run(*folders, world, "strong_20261120_130000_bbbb"), RENAMED)


def test_renamed_class_is_not_a_task_without_champion(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    run = a_renamed_run(world, folders)
    gate = gate_of(judge_run(run, folders), "not_worse_than_champion")
    assert gate.verdict == "not enough evidence"
    assert "--labels Suicidal=suicidal" in gate.reason
    with pytest.raises(Refused, match="--labels Suicidal=suicidal"):
        promote_run(run, folders)
    assert Registry(folders[1]).champion().name == "weak_v1"


def test_answered_labels_are_compared_and_recorded(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    promotion = promote_run(a_renamed_run(world, folders), folders, labels={"Suicidal": "suicidal"})
    assert promotion.champion is not None
    assert promotion.champion.comparison is not None
    assert promotion.champion.comparison.examples == 240
    assert promotion.champion.comparison.difference > 0
    assert gate_of(promotion, "high_risk_recall.suicidal").verdict == "passed"
    entry = ledger.verified_entries(folders[1])[-1]
    assert (entry.label_map, entry.task, entry.before) == ({"Suicidal": "suicidal"}, weak_champion.task, "weak_v1")
    assert "with the labels Suicidal=suicidal" in state.sentence(entry)


def test_plain_alias_means_one_bundle_after_renaming(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    registry = Registry(folders[1])
    promote_run(a_renamed_run(world, folders), folders, labels={"Suicidal": "suicidal"})
    assert [bundle.name for bundle in registry.champions()] == ["strong_v1"]
    assert registry.champion().name == "strong_v1"
    registry.rollback(by="ada", reason="too early")
    assert registry.champion().name == "weak_v1"


def test_renaming_alone_changes_no_number_of_the_comparison(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    plain = judge_run(a_trained_run(*folders, world, "plain_20261120_130000_cccc"), folders).inputs.champion
    renamed = judge_run(a_renamed_run(world, folders), folders, labels={"Suicidal": "suicidal"}).inputs.champion
    assert plain is not None
    assert renamed is not None
    assert plain.comparison is not None
    assert renamed.comparison is not None
    assert plain.recalls == renamed.recalls
    for field in ("incumbent_f1_macro", "challenger_f1_macro", "difference", "accuracy_difference", "mcnemar_p"):
        assert getattr(renamed.comparison, field) == pytest.approx(getattr(plain.comparison, field))
    assert renamed.comparison.low == pytest.approx(plain.comparison.low, abs=0.01)


def test_added_class_is_left_out_of_the_comparison(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    run = a_trained_run(*folders, world, "strong_20261120_130000_bbbb")
    with_labels(run, [*LABELS, "ptsd"], {row: 4 for row in range(0, 240, 12)})
    assert "--labels ptsd=new" in gate_of(judge_run(run, folders), "not_worse_than_champion").reason
    verdict = judge_run(run, folders, labels={"ptsd": "new"})
    assert verdict.inputs.champion is not None
    assert verdict.inputs.champion.comparison is not None, verdict.inputs.champion.flaw
    assert verdict.inputs.champion.comparison.examples == 220
    assert "of the 4 classes that both know" in gate_of(verdict, "not_worse_than_champion").reason


def test_removed_high_risk_class_does_not_pass(weak_champion: PromotionRecord, world: World, folders: Folders) -> None:
    run = with_labels(a_trained_run(*folders, world, "strong_20261120_130000_bbbb"), [*LABELS[:3], "low"])
    verdict = judge_run(run, folders, labels={"low": "new", "suicidal": "removed"})
    assert gate_of(verdict, "high_risk_recall.suicidal").verdict == "failed"


def test_champion_marks_a_class_for_a_run_that_does_not(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    verdict = judge_run(a_trained_run(*folders, world, "plain_20261120_130000_cccc"), folders)
    assert gate_of(verdict, "high_risk_recall.suicidal").verdict == "passed"


def test_run_that_misses_more_of_high_risk_is_refused(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    probabilities = world.probabilities["strong", "test"].copy()
    suicidal = np.flatnonzero(np.array(world.labels["test"]) == 3)
    others = np.flatnonzero(np.array(world.labels["test"]) != 3)
    right = suicidal[probabilities[suicidal].argmax(axis=1) == 3]
    probabilities[right[: len(right) // 2]] = [0.7, 0.1, 0.1, 0.1]
    probabilities[others] = np.eye(4)[np.array(world.labels["test"])[others]]
    run = a_trained_run(*folders, world, "average_20261120_130000_dddd", probabilities=probabilities)
    verdict = judge_run(run, folders)
    assert gate_of(verdict, "not_worse_than_champion").verdict == "passed"
    assert gate_of(verdict, "high_risk_recall.suicidal").verdict == "failed"
    with pytest.raises(Refused, match=r"(?s)high_risk_recall.suicidal: failed.*would change it: a better model"):
        promote_run(run, folders)


def test_another_task_has_its_own_champion_and_name(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    promotion = promote_run(a_renamed_run(world, folders), folders, task="risk")
    registry = Registry(folders[1])
    assert promotion.task_name == "risk"
    assert promotion.task != weak_champion.task
    assert registry.champion().name == "weak_v1"
    assert registry.champion("risk").name == "strong_v1"
    assert registry.champion("anxiety-depression-normal-suicidal").name == "weak_v1"
    assert [entry.bundle for entry in registry.history(task="risk")] == ["strong_v1"]


def test_predict_serves_the_champion_of_the_named_task(
    weak_champion: PromotionRecord, world: World, folders: Folders
) -> None:
    promote_run(a_renamed_run(world, folders), folders, task="risk")
    assert Predictor.load(bundle="champion", models=folders[1]).name == "weak_v1"
    assert Predictor.load(bundle="champion", task="risk", models=folders[1]).name == "strong_v1"


def test_answers_without_another_champion_are_refused(world: World, folders: Folders) -> None:
    run = a_trained_run(*folders, world)
    with pytest.raises(BadInput, match=r"no champion whose labels could differ. Leave out --labels"):
        judge_run(run, folders, labels={"sad": "new"})
