from __future__ import annotations

from pathlib import Path

import pytest

from mhc import timestamps
from mhc.production import ledger
from mhc.record import Promotion
from mhc.runs import move_log, store
from mhc.runs.live import LiveRun
from mhc.runs.liveness import this_process
from tests.support.builders import NOW, a_record, a_run, write_run
from tests.support.typed import contents, typed

ID = "attention_20261120_120000_a1b2"


@pytest.mark.parametrize("archive", ["archive_debug", "archive_baseline", "archived"])
def test_archive_then_restore_is_the_same_to_the_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], archive: str
) -> None:
    folder = a_run(tmp_path / "outputs")
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, "archive", ID, "--type", archive)
    assert (answer.code, answer.out) == (0, f"{ID} archived to {archive}\n")
    assert not folder.exists()
    assert (tmp_path / "outputs" / archive / ID / "run.json").is_file()
    answer = typed(capsys, tmp_path, "restore", ID)
    assert (answer.code, answer.out) == (0, f"{ID} restored to {folder}\n")
    assert contents(tmp_path) == before
    assert [(entry.what, entry.run) for entry in move_log.read(tmp_path / "outputs")] == [
        ("archived", ID),
        ("restored", ID),
    ]


def test_job_of_a_sweep_is_restored_into_its_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_run(tmp_path / "outputs", sweep="tune_20261120_110000_beef_sweep")
    before = contents(tmp_path)
    assert typed(capsys, tmp_path, "archive", ID).code == 0
    assert not folder.exists()
    assert typed(capsys, tmp_path, "restore", ID).code == 0
    assert contents(tmp_path) == before


@pytest.mark.parametrize("words", [["archive", ID], ["restore", ID]], ids=["archive", "restore"])
def test_dry_run_moves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    a_run(tmp_path / "outputs", location="active" if words[0] == "archive" else "archived")
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, *words, "--dry-run")
    assert answer.code == 0
    assert "would be" in answer.out
    assert contents(tmp_path) == before
    assert move_log.read(tmp_path / "outputs") == []


def write_protected_run(home: Path, why: str) -> None:
    """Write a run that must not be archived, for the reason `why`."""
    if why == "running":
        write_run(home / "outputs", a_record(ID, status="running", process=this_process()))
    elif why == "pinned":
        a_run(home / "outputs", pinned=True)
    elif why == "candidate":
        a_run(home / "outputs", candidate=True)
    elif why == "recorded bundle":
        a_run(home / "outputs", promotion=Promotion(bundles=["best_v1"]))
    elif why == "bundle on disk":
        folder = a_run(home / "outputs")
        bundle = home / "models" / "production" / "best_v1"
        bundle.mkdir(parents=True)
        (bundle / "run.json").write_bytes((folder / "run.json").read_bytes())


@pytest.mark.parametrize(
    ("why", "sentence"),
    [
        ("running", "it is running"),
        ("pinned", "it is pinned. Remove the pin with: mhc unpin"),
        ("candidate", "it is a candidate"),
        ("recorded bundle", "the bundle best_v1 was made of it"),
        ("bundle on disk", "a bundle was made of it"),
    ],
)
def test_protected_run_is_not_archived(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], why: str, sentence: str
) -> None:
    write_protected_run(tmp_path, why)
    a_run(tmp_path / "outputs", "other_20261120_120000_0001")
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, "archive", "other", ID)
    assert answer.code == 1
    assert f"Run {ID} cannot be archived: {sentence}" in answer.err
    assert contents(tmp_path) == before


def test_run_promoted_according_to_the_ledger_is_never_purged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_run(tmp_path / "outputs", location="archived")
    with ledger.changing(tmp_path / "models", NOW) as writer:
        entry = ledger.draft("promoted", "ann", "best")
        writer.append(type(entry)(**{f: getattr(entry, f) for f in entry.__struct_fields__} | {"run": ID}), NOW)
    answer = typed(capsys, tmp_path, "purge", "--older-than", "0d", "--yes")
    assert "a bundle was made of it" in answer.out
    assert folder.exists()


def test_unreadable_run_is_not_archived(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_run(tmp_path / "outputs")
    (folder / "run.json").write_text("{")
    answer = typed(capsys, tmp_path, "archive", ID)
    assert (answer.code, folder.exists()) == (1, True)
    assert "cannot be read" in answer.err


def test_archived_run_is_not_archived_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs", location="archived")
    answer = typed(capsys, tmp_path, "archive", ID, "--type", "archive_debug")
    assert (answer.code, answer.err) == (
        1, f"Run {ID} is archived already. Restore it first with: mhc restore {ID}\n")  # fmt: skip


def test_active_run_is_not_restored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs")
    answer = typed(capsys, tmp_path, "restore", ID)
    assert (answer.code, answer.err) == (1, f"Run {ID} is not archived; there is nothing to restore\n")


def test_restore_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs", location="archived")
    (tmp_path / "outputs" / ID).mkdir()
    answer = typed(capsys, tmp_path, "restore", ID)
    assert answer.code == 1
    assert f"{ID} exists" in answer.err
    assert (tmp_path / "outputs" / "archived" / ID / "run.json").is_file()


def test_lost_run_is_recorded_as_lost_before_it_is_archived(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = this_process()
    gone = type(process)(**{f: getattr(process, f) for f in process.__struct_fields__} | {"pid": 99_999_999})
    write_run(tmp_path / "outputs", a_record(ID, status="running", process=gone))
    assert typed(capsys, tmp_path, "archive", ID).code == 0
    record = store.read(tmp_path / "outputs" / "archived" / ID)
    assert (record.status.value, record.history[-1].what) == ("lost", "lost")


def test_bundles_are_never_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "models" / "production" / "best_v1"
    write_run(tmp_path, a_record(ID))
    bundle.parent.mkdir(parents=True)
    (tmp_path / ID).rename(bundle)
    for words in (["archive", ID], ["pin", ID], ["tag", ID, "--add", "x"]):
        answer = typed(capsys, tmp_path, *words)
        assert (answer.code, "is a bundle; bundles are never changed" in answer.err) == (1, True)


def test_move_log_names_the_user_and_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs")
    typed(capsys, tmp_path, "archive", ID, "--reason", "superseded")
    (entry,) = move_log.read(tmp_path / "outputs")
    assert (entry.why, bool(entry.by)) == ("to archived: superseded", True)
    assert timestamps.parse_time(entry.at) <= timestamps.now()
    assert LiveRun(tmp_path / "outputs" / "archived" / ID).record().id == ID
