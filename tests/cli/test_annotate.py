from __future__ import annotations

from pathlib import Path

import pytest

from mhc.record import Category
from mhc.runs import store
from tests.support.builders import a_run
from tests.support.typed import contents, typed

ID = "attention_20261120_120000_a1b2"
OTHER = "other_20261120_120000_0001"


@pytest.mark.parametrize(
    ("words", "field", "value", "what"),
    [
        (["pin", ID], "pinned", True, "pinned"),
        (["tag", ID, "--add", "b", "--add", "c", "--remove", "a"], "tags", ["b", "c"], "tagged"),
        (["note", ID, "looks good\nin two lines"], "note", "looks good\nin two lines", "noted"),
        (["reclassify", ID, "--to", "debug"], "category", Category.DEBUG, "classified"),
    ],
    ids=["pin", "tag", "note", "reclassify"],
)
def test_annotation_is_recorded_once_with_its_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], field: str, value: object, what: str
) -> None:
    folder = a_run(tmp_path / "outputs", tags=["a"])
    before = contents(tmp_path)
    assert typed(capsys, tmp_path, *words, "--dry-run").code == 0
    assert contents(tmp_path) == before
    assert typed(capsys, tmp_path, *words).code == 0
    record = store.read(folder)
    assert (getattr(record, field), record.history[-1].what, record.revision) == (value, what, 1)
    assert typed(capsys, tmp_path, *words).code == 0
    assert store.read(folder) == record


def test_unpin_removes_the_pin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_run(tmp_path / "outputs", pinned=True)
    answer = typed(capsys, tmp_path, "unpin", ID)
    assert (answer.out, store.read(folder).pinned) == (f"{ID}: no longer pinned\n", False)


def test_mistyped_id_among_several_changes_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [a_run(tmp_path / "outputs", id) for id in (ID, OTHER)]
    assert typed(capsys, tmp_path, "pin", "attention", "othre").code == 1
    assert [store.read(folder).pinned for folder in folders] == [False, False]
    assert typed(capsys, tmp_path, "pin", "attention", "other").out == f"{ID}: pinned\n{OTHER}: pinned\n"
    assert [store.read(folder).pinned for folder in folders] == [True, True]


def test_note_can_be_appended_to_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_run(tmp_path / "outputs", note="first")
    typed(capsys, tmp_path, "note", ID, "second", "--append")
    assert store.read(folder).note == "first\nsecond"
    typed(capsys, tmp_path, "note", ID, "")
    assert store.read(folder).note == ""


@pytest.mark.parametrize("tag", ["", "  ", "a\x1b[31m", "a\nb", "x" * 81, "\u202e"])
def test_invisible_tag_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], tag: str) -> None:
    folder = a_run(tmp_path / "outputs")
    answer = typed(capsys, tmp_path, "tag", ID, "--add", tag)
    assert answer.code == 1
    assert "tag" in answer.err
    assert "\x1b[31m" not in answer.err
    assert store.read(folder).tags == []


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "x" * 4001, "\x00"], ids=["escape", "long", "nul"])
def test_note_with_control_characters_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    folder = a_run(tmp_path / "outputs")
    assert typed(capsys, tmp_path, "note", ID, text).code == 1
    assert store.read(folder).note == ""


def test_tag_requires_an_action(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs")
    answer = typed(capsys, tmp_path, "tag", ID)
    assert (answer.code, "Nothing to do" in answer.err) == (2, True)


def test_reclassify_all_applies_the_current_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    debug = a_run(tmp_path / "outputs", "simple-test_20261120_120000_0002", category="baseline")
    baseline = a_run(tmp_path / "outputs", "latest_20261120_120000_0003", category="baseline")
    (a_run(tmp_path / "outputs", "torn_20261120_120000_0004") / "run.json").write_text("{")
    answer = typed(capsys, tmp_path, "reclassify", "--all")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "1 of 3 runs changed."
    assert [store.read(folder).category for folder in (debug, baseline)] == [Category.DEBUG, Category.BASELINE]
    assert "debug word 'test'" in store.read(debug).category_reason


def test_category_of_the_user_holds_until_set_to_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_run(tmp_path / "outputs", "micro_20261120_120000_0002", category="debug")
    typed(capsys, tmp_path, "reclassify", "micro", "--to", "baseline")
    typed(capsys, tmp_path, "reclassify", "--all")
    assert store.read(folder).category is Category.BASELINE
    typed(capsys, tmp_path, "reclassify", "micro", "--to", "rules")
    assert store.read(folder).category is Category.DEBUG


def test_reclassify_requires_ids_or_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(capsys, tmp_path, "reclassify").code == 2
    assert typed(capsys, tmp_path, "reclassify", ID, "--all").code == 2
