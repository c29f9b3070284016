from __future__ import annotations

from pathlib import Path

from mhc.index import scan as settling
from mhc.index.index import Index
from mhc.index.scan import scan
from mhc.policy import load
from mhc.record import Location
from mhc.runs import folders
from tests.support.builders import a_run

ID = "attention_20261120_120000_a1b2"


def index_of(home: Path) -> Index:
    return Index(home / "outputs", home / "models", lambda: load().liveness)


def test_a_scan_of_quiet_folders_is_left_as_it_is(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs")
    a_run(tmp_path / "outputs", "two_20261120_120000_0002", location="archived")
    a_run(tmp_path / "outputs", "three_20261120_120000_0003", sweep="s_20261120_110000_beef_sweep")
    expected = scan(tmp_path / "outputs", tmp_path / "models")
    assert settling.settled(tmp_path / "outputs", tmp_path / "models", {}) == expected
    assert settling.settled(tmp_path / "outputs", tmp_path / "models", expected) == expected


def test_a_run_that_a_scan_missed_on_its_way_is_found(tmp_path: Path) -> None:
    """It is known in the archive, is no longer there, and the scan had passed its new place before it came."""
    folder = a_run(tmp_path / "outputs", sweep="s_20261120_110000_beef_sweep")
    known = {f"archived/s_20261120_110000_beef_sweep/{ID}": "1:2:3"}
    seen = settling.settled(tmp_path / "outputs", tmp_path / "models", known)
    assert list(seen) == [str(folder.relative_to(tmp_path / "outputs"))]


def test_a_run_that_is_gone_is_gone(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs")
    seen = settling.settled(tmp_path / "outputs", tmp_path / "models", {"other_20261120_120000_0001": "1:2:3"})
    assert list(seen) == [ID]


def test_two_copies_of_a_run_are_both_shown(tmp_path: Path) -> None:
    a_run(tmp_path / "outputs")
    a_run(tmp_path / "outputs", location="archived")
    assert sorted(row.path for row in index_of(tmp_path).rows()) == [f"archived/{ID}", ID]


def test_a_run_that_another_reader_wrote_down_at_its_old_place_is_shown_once(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "outputs")
    reader = index_of(tmp_path)
    folders.archive(folder, tmp_path / "outputs", Location.ARCHIVED)
    newer = index_of(tmp_path)
    columns = [row[1] for row in newer.query("PRAGMA table_info(runs)")]
    row = newer.rows()[0]
    old = row._replace(path=ID, location="active")
    reader._database.execute(f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", old)
    assert [found.path for found in newer.rows()] == [f"archived/{ID}"]


def test_a_link_is_never_looked_up(tmp_path: Path) -> None:
    outside = a_run(tmp_path / "elsewhere")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ID).symlink_to(outside)
    assert settling.settled(tmp_path / "outputs", tmp_path / "models", {f"archived/{ID}": "1:2:3"}) == {}
