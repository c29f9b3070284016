from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mhc.record import Promotion
from mhc.runs import folders, move_log, store
from mhc.runs.liveness import this_process
from tests.cli.test_archive import write_protected_run
from tests.support.builders import NOW, a_record, a_run, write_run
from tests.support.typed import contents, typed

ID = "attention_20261120_120000_a1b2"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def debug_runs(outputs: Path, count: int) -> list[str]:
    """Write debug runs; return their ids, oldest first."""
    ids = []
    for number in range(count):
        created = NOW - timedelta(hours=count - number)
        ids.append(f"debug_{created:%Y%m%d_%H%M%S}_{number:04x}")
        a_run(outputs, ids[-1], category="debug", created=created)
    return ids


def active(outputs: Path) -> list[str]:
    return sorted(folder.name for folder, location in folders.iter_runs(outputs) if location.value == "active")


@pytest.mark.parametrize(("keep", "remaining"), [("2", 2), ("0", 0), (None, 3), ("9", 5)])
def test_cleanup_keeps_the_newest_debug_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: str | None, remaining: int
) -> None:
    ids = debug_runs(tmp_path / "outputs", 5)
    words = ["--keep", keep] if keep else []
    answer = typed(capsys, tmp_path, "cleanup", *words)
    assert answer.code == 0
    assert active(tmp_path / "outputs") == ids[5 - remaining :]
    assert answer.out.splitlines()[-1] == f"{5 - remaining} of 5 runs archived."
    assert all(
        entry.why.startswith("to archive_debug: debug runs: there are more")
        for entry in move_log.read(tmp_path / "outputs")
    )


def test_cleanup_gives_the_reason_for_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = tmp_path / "outputs"
    debug_runs(outputs, 3)
    a_run(outputs, "fine_20261120_120000_0001")
    a_run(outputs, "kept_20261120_120000_0002", category="debug", pinned=True)
    a_run(outputs, "broken_20250101_000000_0003", status="failed", created=LONG_AGO)
    before = contents(outputs)
    answer = typed(capsys, tmp_path, "cleanup", "--keep", "1", "--all", "--dry-run")
    lines = {line.split("\t")[0].rpartition("_")[2]: line.split("\t")[2:] for line in answer.out.splitlines()[1:-1]}
    assert lines["0001"] == ["stays", "no rule of the policy matches it"]
    assert lines["0002"] == ["stays", "it is pinned"]
    assert lines["0003"][0] == "archive_baseline"
    assert "days ago, more than 7" in lines["0003"][1]
    assert lines["0000"] == ["archive_debug", "debug runs: there are more than 1"]
    assert answer.out.splitlines()[-1] == "3 of 6 runs would be archived."
    assert contents(outputs) == before


@pytest.mark.parametrize("why", ["running", "pinned", "candidate", "recorded bundle", "bundle on disk"])
def test_cleanup_never_touches_a_protected_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], why: str) -> None:
    write_protected_run(tmp_path, why)
    folder = tmp_path / "outputs" / ID
    if why != "running":
        store.update(
            folder, lambda r: type(r)(**{f: getattr(r, f) for f in r.__struct_fields__} | {"category": "debug"})
        )
    assert typed(capsys, tmp_path, "cleanup", "--keep", "0").code == 0
    assert folder.is_dir()


def test_plan_fits_narrow_and_wide_terminals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    debug_runs(tmp_path / "outputs", 3)
    monkeypatch.setattr("mhc.cli.output.on_terminal", lambda: True)
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        answer = typed(capsys, tmp_path, "cleanup", "--keep", "0", "--dry-run")
        assert max(len(line) for line in answer.out.splitlines()) <= columns


def old_archived(outputs: Path, id: str = ID, **record: object) -> Path:
    return a_run(outputs, id, location="archived", created=LONG_AGO, **record)


def test_purge_deletes_old_archived_runs_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = tmp_path / "outputs"
    old = old_archived(outputs)
    (old / "checkpoints" / "best.ckpt").write_bytes(b"\0" * 5_000_000)
    young = a_run(outputs, "young_20261120_120000_0001", location="archived", created=datetime.now(UTC))
    live = a_run(outputs, "active_20250101_000000_0002", created=LONG_AGO)
    answer = typed(capsys, tmp_path, "purge", "--older-than", "30d", "--yes")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "1 run deleted, 5.0 MB freed.")
    assert [folder.exists() for folder in (old, young, live)] == [False, True, True]
    assert list((outputs / ".trash").iterdir()) == []
    assert [(entry.what, entry.run) for entry in move_log.read(outputs)] == [("purged", ID)]


def test_purge_counts_from_the_last_event_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of last year that was archived today was just moved into the archive."""
    a_run(tmp_path / "outputs", created=LONG_AGO)
    typed(capsys, tmp_path, "archive", ID)
    answer = typed(capsys, tmp_path, "purge", "--older-than", "30d", "--yes")
    assert answer.out == "Nothing in the archives is older than 30d.\n"
    assert (tmp_path / "outputs" / "archived" / ID).is_dir()


@pytest.mark.parametrize("answered", ["n\n", "\n", ""], ids=["no", "nothing", "end of input"])
def test_purge_without_confirmation_deletes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answered: str
) -> None:
    import io

    folder = old_archived(tmp_path / "outputs")
    monkeypatch.setattr("sys.stdin", io.StringIO(answered))
    answer = typed(capsys, tmp_path, "purge", "--older-than", "30d")
    assert (answer.code, folder.is_dir()) == (1, True)
    assert "Delete 1 run" in answer.out
    assert "Nothing was deleted" in answer.err


def test_dry_run_of_purge_deletes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = old_archived(tmp_path / "outputs")
    answer = typed(capsys, tmp_path, "purge", "--older-than", "30d", "--yes", "--dry-run")
    assert (answer.code, folder.is_dir()) == (0, True)
    assert answer.out.splitlines()[-1].startswith("1 run, ")


@pytest.mark.parametrize(
    "fields",
    [{"pinned": True}, {"candidate": True}, {"promotion": Promotion(bundles=["best_v1"])}],
    ids=["pinned", "candidate", "bundle"],
)
def test_purge_keeps_protected_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict) -> None:
    folder = old_archived(tmp_path / "outputs", **fields)
    assert typed(capsys, tmp_path, "purge", "--older-than", "1d", "--yes").code == 0
    assert folder.is_dir()


def test_purge_keeps_a_live_run_in_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = a_record(ID, status="running", created=LONG_AGO, process=this_process())
    folder = write_run(tmp_path / "outputs", record, "archived")
    assert typed(capsys, tmp_path, "purge", "--older-than", "1d", "--yes").code == 0
    assert folder.is_dir()


@pytest.mark.parametrize("what", ["record", "bundle", "ledger"])
def test_nothing_is_purged_if_protections_are_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    folder = old_archived(tmp_path / "outputs")
    if what == "record":
        (folder / "run.json").write_text("{")
    elif what == "bundle":
        bundle = tmp_path / "models" / "production" / "best_v1"
        bundle.mkdir(parents=True)
        (bundle / "promotion.json").write_text("{}")
        (bundle / "run.json").write_text("{")
    else:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "ledger.jsonl").write_text('{"seq":1}\n')
    answer = typed(capsys, tmp_path, "purge", "--older-than", "1d", "--yes")
    assert folder.is_dir()
    assert answer.err


def test_trash_that_is_a_link_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = old_archived(tmp_path / "outputs")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outputs" / ".trash").symlink_to(tmp_path / "elsewhere")
    answer = typed(capsys, tmp_path, "purge", "--older-than", "1d", "--yes")
    assert (folder.is_dir(), list((tmp_path / "elsewhere").iterdir())) == (True, [])
    assert ".trash is a link" in answer.err


def test_targets_of_links_in_a_purged_run_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = old_archived(tmp_path / "outputs")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "texts.csv").write_text("text,label\n")
    (folder / "data").symlink_to(tmp_path / "data")
    assert typed(capsys, tmp_path, "purge", "--older-than", "1d", "--yes").code == 0
    assert not folder.exists()
    assert (tmp_path / "data" / "texts.csv").is_file()


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1.5d", "30y", "٣d", "9" * 30 + "d"])
def test_invalid_age_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], age: str) -> None:
    answer = typed(capsys, tmp_path, "purge", f"--older-than={age}", "--yes")
    assert (answer.code, "is no age" in answer.err) == (1, True)
