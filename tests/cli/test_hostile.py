"""Paths and escapes in ids, tags, names and imported files: nothing leaves outputs/ or reaches a terminal raw."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from mhc.record import Event, encode
from mhc.runs import folders
from tests.support.builders import NOW, a_record, a_run, iso, write_run
from tests.support.typed import contents, typed

ID = "attention_20261120_120000_a1b2"
IDS = {
    "parent": "../../x",
    "up and in": "../outputs/../../secret",
    "absolute": "/etc",
    "root": "/",
    "dot": ".",
    "dots": "..",
    "empty": "",
    "nul": "a\x00b",
    "escape": "\x1b[31m\x1b]0;title\x07",
    "long": "x" * 10_000,
    "newline": "a\nb",
    "direction": "\u202e",
    "wildcard": "*",
    "sql": "' OR 1=1 --",
    "percent": "%",
}
CHANGING = {
    "archive": ["archive"],
    "restore": ["restore"],
    "pin": ["pin"],
    "unpin": ["unpin"],
    "tag": ["tag", "--add", "x"],
    "reclassify": ["reclassify"],
    "stop": ["stop"],
    "reproduce": ["reproduce"],
    "tensorboard": ["tensorboard", "--dry-run"],
}
RAW = [
    chr(code)
    for code in (*range(0x00, 0x0A), *range(0x0B, 0x20), 0x7F, *range(0x80, 0xA0), 0x202E, 0x200B)
    if code != 9
]


def assert_harmless(text: str) -> None:
    assert [hex(ord(letter)) for letter in text if letter in RAW] == []


@pytest.mark.parametrize("command", CHANGING)
@pytest.mark.parametrize("hostile", IDS)
def test_hostile_id_changes_nothing_and_is_not_printed_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, hostile: str
) -> None:
    home = tmp_path / "home"
    a_run(home / "outputs", "one_20261120_120000_0001")
    a_run(home / "outputs", "two_20261120_120000_0002", location="archived")
    a_run(tmp_path, "secret")
    before = contents(tmp_path)
    word, *options = CHANGING[command]
    answer = typed(capsys, home, word, *options, "--", IDS[hostile])
    assert answer.code in (1, 2)
    assert_harmless(answer.out + answer.err)
    assert len(answer.err) < 3000
    assert contents(tmp_path) == before


def test_path_to_a_run_outside_of_outputs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = a_run(tmp_path / "elsewhere")
    a_run(tmp_path / "outputs", "one_20261120_120000_0001")
    for path in (outside, f"../elsewhere/{ID}", os.path.relpath(outside)):
        answer = typed(capsys, tmp_path, "archive", path)
        assert (answer.code, outside.is_dir()) == (1, True)


@pytest.mark.parametrize("command", ["archive", "pin", "purge", "cleanup", "doctor", "reclassify"])
def test_link_out_of_outputs_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A run behind a link, a whole archive behind a link, a sweep behind a link."""
    for kind in ("run", "sweep", "archive"):
        home = tmp_path / kind
        outside = a_run(home / "elsewhere", category="debug")
        (home / "outputs").mkdir()
        name = {"run": ID, "sweep": "s_20261120_110000_beef_sweep", "archive": "archived"}[kind]
        (home / "outputs" / name).symlink_to(outside if kind == "run" else outside.parent)
        before = contents(home / "elsewhere")
        words = {
            "purge": ["purge", "--older-than", "0d", "--yes"],
            "cleanup": ["cleanup", "--keep", "0"],
            "doctor": ["doctor", "--fix"],
            "reclassify": ["reclassify", "--all", "--to", "baseline"],
        }.get(command, [command, ID])
        typed(capsys, home, *words)
        assert contents(home / "elsewhere") == before
        assert outside.is_dir()


def test_archive_that_is_a_link_receives_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outputs" / "archived").symlink_to(tmp_path / "elsewhere")
    typed(capsys, tmp_path, "archive", ID)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_sweep_that_became_a_link_receives_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = "s_20261120_110000_beef_sweep"
    folder = a_run(tmp_path / "outputs", location="archived", sweep=sweep)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outputs" / sweep).symlink_to(tmp_path / "elsewhere")
    assert typed(capsys, tmp_path, "restore", ID).code == 1
    assert (folder.is_dir(), list((tmp_path / "elsewhere").iterdir())) == (True, [])


def test_target_of_a_linked_record_is_not_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = a_run(tmp_path / "elsewhere")
    folder = a_run(tmp_path / "outputs")
    (folder / "run.json").unlink()
    (folder / "run.json").symlink_to(outside / "run.json")
    before = contents(tmp_path / "elsewhere")
    typed(capsys, tmp_path, "pin", ID)
    typed(capsys, tmp_path, "purge", "--older-than", "0d", "--yes")
    assert contents(tmp_path / "elsewhere") == before


EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\x00\r../../x"


def evil_run(outputs: Path, **fields: object) -> Path:
    """Every free text of the record is hostile."""
    record = a_record(
        ID, status="failed", created=NOW, name=EVIL, description=EVIL * 1000, tags=[EVIL, "../../x"], note=EVIL
    )
    lineage = msgspec.structs.replace(record.lineage, overrides=[EVIL], command=[EVIL], git_diff="../../x")
    event = Event(at=iso(NOW), what=EVIL, by=EVIL, why=EVIL)
    values = {"lineage": lineage, "history": [event], "category_reason": EVIL, "status_reason": EVIL, **fields}
    return write_run(outputs, msgspec.structs.replace(record, **values))


@pytest.mark.parametrize(
    "words",
    [
        ["list"], ["list", "--json"], ["details", ID], ["details", ID, "--json"], ["search", "owned"], ["log"],
        ["cleanup", "--all", "--dry-run"], ["cleanup", "--keep", "0"], ["archive", ID], ["pin", ID], ["summary"],
        ["tag", ID, "--remove", EVIL],
        ["doctor"], ["doctor", "--json"], ["export"], ["export", "--format", "jsonl"], ["reproduce", ID], ["stop", ID],
        ["reclassify", "--all"], ["tensorboard", "--dry-run"], ["rebuild"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_recorded_values_never_reach_the_terminal_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    evil_run(tmp_path / "outputs")
    answer = typed(capsys, tmp_path, *words)
    assert answer.code in (0, 1)
    assert_harmless(answer.out + answer.err)
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside <= {"outputs", "models"}


def test_record_whose_id_is_a_path_is_moved_by_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_run(tmp_path / "outputs")
    content = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps({**content, "id": "../../../x"}))
    typed(capsys, tmp_path, "archive", ID)
    typed(capsys, tmp_path, "doctor", "--fix")
    everything = {path for path in tmp_path.rglob("run.json")}
    assert len(everything) == 1
    assert everything.pop().is_relative_to(tmp_path / "outputs")


@pytest.mark.parametrize("sweep", ["../../x", "/tmp/x", "a/../../../x", "\x1b[31m"])
def test_sweep_id_that_is_a_path_moves_nothing_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sweep: str
) -> None:
    record = a_record(ID, sweep="fine", category="debug")
    folder = tmp_path / "deep" / "outputs" / ID
    folder.mkdir(parents=True)
    assert record.sweep is not None
    record = msgspec.structs.replace(record, sweep=msgspec.structs.replace(record.sweep, id=sweep))
    (folder / "run.json").write_bytes(encode(record))
    home = tmp_path / "deep"
    typed(capsys, home, "cleanup", "--keep", "0")
    typed(capsys, home, "restore", ID)
    assert [path for path, _ in folders.iter_runs(home / "outputs")] == [folder]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]


def test_imported_hostile_values_are_printed_safely(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "old"
    old.mkdir()
    entry = {"experiment_id": EVIL, "experiment_name": EVIL, "tags": [EVIL], "description": EVIL * 3000, "status": EVIL}
    (old / "experiments_log.jsonl").write_text(json.dumps(entry) + "\n{" + EVIL + "\n")
    (old / ("\x1b[31m" + "metadata.json")).write_text("{")
    (old / "\x1b[31mfolder").mkdir()
    (old / "\x1b[31mfolder" / "metadata.json").write_text("{")
    for words in (["import", old, "--dry-run"], ["import", old], ["list"], ["search", "owned"], ["export"]):
        answer = typed(capsys, tmp_path, *words)
        assert_harmless(answer.out + answer.err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "outputs"]
    shutil.rmtree(old)
