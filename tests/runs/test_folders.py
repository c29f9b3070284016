from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mhc.errors import BadConfig, Conflict, NotFound, Refused
from mhc.record import Location
from mhc.runs import folders
from tests.support.builders import NOW, a_run


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_claimed_folder_is_named_by_name_time_and_random_digits(tmp_path: Path) -> None:
    folder = folders.claim(tmp_path / "outputs", "attention v3", datetime(2026, 1, 31, 9, 5, 7, tzinfo=UTC))
    assert folder.is_dir()
    assert folders.RUN_ID.fullmatch(folder.name)
    assert folder.name.startswith("attention_v3_20260131_090507_")


def test_two_claims_in_one_second_never_share_a_folder(tmp_path: Path) -> None:
    assert len({folders.claim(tmp_path, "a", NOW) for _ in range(50)}) == 50
    assert len({folders.claim_sweep(tmp_path, "a", NOW) for _ in range(50)}) == 50


def test_existing_folder_is_never_claimed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\xab" * count)
    folder = folders.claim(tmp_path, "a", NOW)
    (folder / "run.json").write_text("mine")
    with pytest.raises(BadConfig, match=r"are taken in .* Choose another name="):
        folders.claim(tmp_path, "a", NOW)
    assert (folder / "run.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc_passwd"),
        ("/root", "root"),
        ("a\x1b[31m\nb", "a_31m_b"),
        (".hidden", "hidden"),
        ("", "run"),
        ("\N{GREEK SMALL LETTER ALPHA}", "run"),
        ("-rf", "rf"),
        ("x" * 10_000, "x" * 80),
    ],
)
def test_name_becomes_a_safe_part_of_a_file_name(name: str, safe: str) -> None:
    assert folders.slug(name) == safe


def test_place_without_room_for_a_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfig, match=r"No folder can be created in .*file.*paths.outputs="):
        folders.claim(tmp_path / "file", "a", NOW)


def test_iter_runs_yields_active_sweep_and_archived_runs_only(tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    active = a_run(out, "a_20261120_120000_0001")
    of_sweep = a_run(out, "b_20261120_120000_0002", sweep="s_20261120_120000_0003_sweep")
    archived = a_run(out, "c_20261120_120000_0004", location="archive_debug")
    archived_of_sweep = a_run(
        out, "d_20261120_120000_0005", sweep="s_20261120_120000_0003_sweep", location="archive_baseline"
    )
    (out / "e_20261120_120000_0006").mkdir()
    (out / ".trash" / "f").mkdir(parents=True)
    (out / ".trash" / "f" / "run.json").write_text("{}")
    outside = a_run(tmp_path / "elsewhere", "g_20261120_120000_0007")
    (out / "link").symlink_to(outside, target_is_directory=True)
    assert set(folders.iter_runs(out)) == {
        (active, Location.ACTIVE),
        (of_sweep, Location.ACTIVE),
        (archived, Location.ARCHIVE_DEBUG),
        (archived_of_sweep, Location.ARCHIVE_BASELINE),
    }
    assert {folder for folder, _ in folders.iter_runs(out, archives=False)} == {active, of_sweep}
    assert list(folders.iter_without_record(out)) == [out / "e_20261120_120000_0006"]
    assert list(folders.iter_runs(tmp_path / "missing")) == []


@pytest.mark.parametrize("sweep", [None, "s_20261120_120000_0003_sweep"])
def test_archived_and_restored_run_is_identical_to_the_byte(tmp_path: Path, sweep: str | None) -> None:
    run = a_run(tmp_path, sweep=sweep)
    (run / "run.lock").touch()
    before = contents(run)
    moved = folders.archive(run, tmp_path, Location.ARCHIVE_DEBUG)
    assert not run.exists()
    assert folders.location_in(moved, tmp_path) is Location.ARCHIVE_DEBUG
    restored = folders.restore(moved, tmp_path)
    assert restored == run
    assert contents(restored) == before
    assert list((tmp_path / "archive_debug").iterdir()) == []


def test_missing_run_is_not_archived_and_leaves_no_folder(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    folders.archive(run, tmp_path, Location.ARCHIVED)
    with pytest.raises(NotFound, match="another process may have moved it"):
        folders.archive(run, tmp_path, Location.ARCHIVED)
    assert not run.exists()


def test_run_is_not_moved_onto_an_existing_folder(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    a_run(tmp_path, location="archived")
    with pytest.raises(Conflict, match="cannot be moved"):
        folders.archive(run, tmp_path, Location.ARCHIVED)
    assert (run / "run.json").exists()


def test_only_runs_in_outputs_are_moved_and_only_to_archives(tmp_path: Path) -> None:
    outside = a_run(tmp_path / "elsewhere")
    archived = a_run(tmp_path / "outputs", location="archived")
    active = a_run(tmp_path / "outputs")
    with pytest.raises(Refused, match="does not lie in"):
        folders.archive(outside, tmp_path / "outputs", Location.ARCHIVED)
    with pytest.raises(Refused, match="is archived already"):
        folders.archive(archived, tmp_path / "outputs", Location.ARCHIVE_DEBUG)
    with pytest.raises(Refused, match="active is no archive"):
        folders.archive(active, tmp_path / "outputs", Location.ACTIVE)
    with pytest.raises(Refused, match="is not archived"):
        folders.restore(active, tmp_path / "outputs")
