"""Scans that race with moves find each run once, at its current path."""

from __future__ import annotations

from pathlib import Path

from mhc.index import update
from mhc.index.index import Index
from mhc.index.scan import scan, stable_scan
from mhc.policy import load
from mhc.record import Location
from mhc.runs import folders
from tests.support.builders import a_run

ID = "attention_20261120_120000_a1b2"


def index_of(home: Path) -> Index:
    return Index(home / "outputs", home / "models", lambda: load().liveness)


def test_scan_of_unchanged_folders_is_stable(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs")
    a_run(tmp_path / "outputs", "two_20261120_120000_0002", location="archived")
    a_run(tmp_path / "outputs", "three_20261120_120000_0003", sweep="s_20261120_110000_beef_sweep")
    expected = scan(tmp_path / "outputs", tmp_path / "models")
    assert stable_scan(tmp_path / "outputs", tmp_path / "models", {}) == expected
    assert stable_scan(tmp_path / "outputs", tmp_path / "models", expected) == expected


def test_run_missed_by_a_scan_while_it_moved_is_found(tmp_path: Path) -> None:
    """The last scan found it in the archive; this one had passed its new folder before the move."""
    folder = a_run(tmp_path / "outputs", sweep="s_20261120_110000_beef_sweep")
    previous = {f"archived/s_20261120_110000_beef_sweep/{ID}": "1:2:3"}
    stamps = stable_scan(tmp_path / "outputs", tmp_path / "models", previous)
    assert list(stamps) == [str(folder.relative_to(tmp_path / "outputs"))]


def test_deleted_run_is_not_found(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs")
    stamps = stable_scan(tmp_path / "outputs", tmp_path / "models", {"other_20261120_120000_0001": "1:2:3"})
    assert list(stamps) == [ID]


def test_two_copies_of_a_run_are_both_shown(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs")
    a_run(tmp_path / "outputs", location="archived")
    assert sorted(row.path for row in index_of(tmp_path).rows()) == [f"archived/{ID}", ID]


def test_run_stored_at_its_old_path_is_shown_once(tmp_path: Path) -> None:
    """A reader whose scan is older than the move has stored it there."""
    folder = a_run(tmp_path / "outputs")
    slow_reader = index_of(tmp_path)
    (old_row,) = slow_reader.rows()
    folders.archive(folder, tmp_path / "outputs", Location.ARCHIVED)
    index = index_of(tmp_path)
    update._store(slow_reader._database, [update.CacheEntry("", old_row, b"{}", "")])
    assert [row.path for row in index.rows()] == [f"archived/{ID}"]


def test_link_is_never_located(tmp_path: Path) -> None:
    outside = a_run(tmp_path / "elsewhere")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ID).symlink_to(outside)
    assert stable_scan(tmp_path / "outputs", tmp_path / "models", {f"archived/{ID}": "1:2:3"}) == {}
