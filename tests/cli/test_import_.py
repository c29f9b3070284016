from __future__ import annotations

from pathlib import Path

import pytest

from mhc.runs import folders
from tests.support.old_files import second_layout, whole_project, write_log
from tests.support.typed import contents, typed


def test_import_counts_experiments_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiments = whole_project(tmp_path / "old")
    answer = typed(capsys, tmp_path, "import", tmp_path / "old")
    assert answer.code == 0
    assert answer.out.splitlines()[:2] == [
        "16 descriptions in 6 files describe 9 experiments.",
        "9 of 9 are runs here: 9 new, 0 extended, 0 unchanged.",
    ]
    assert len(list(folders.iter_runs(tmp_path / "outputs"))) == experiments
    again = typed(capsys, tmp_path, "import", tmp_path / "old")
    assert again.out.splitlines()[1] == "9 of 9 are runs here: 0 new, 0 extended, 9 unchanged."


def test_dry_run_lists_the_runs_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole_project(tmp_path / "old")
    answer = typed(capsys, tmp_path, "import", tmp_path / "old", "--dry-run")
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 1 + 9 + 4
    assert not (tmp_path / "outputs").exists()


def test_unreadable_lines_are_named_and_the_rest_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_log(tmp_path / "old", second_layout("a_20250101_000000"))
    path.write_text(path.read_text() + '\n{"experiment_id": "b_2025')
    answer = typed(capsys, tmp_path, "import", tmp_path / "old")
    assert answer.code == 0
    assert answer.err.startswith("experiments_log.jsonl:2: the line is not valid JSON")
    assert "1 places could not be read; they are listed above." in answer.out


def test_imported_runs_are_listed_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole_project(tmp_path / "old")
    typed(capsys, tmp_path, "import", tmp_path / "old", "--split", "test")
    answer = typed(capsys, tmp_path, "list", "--where", "accuracy >= 0.58")
    assert {line.partition("_2025")[0] for line in answer.out.splitlines()[1:]} == {"simple", "ten_k"}
    assert "old tracker" in typed(capsys, tmp_path, "details", "micro").out


@pytest.mark.parametrize("zone", ["nowhere", "../../etc/passwd", "/etc/localtime", "", "\x00"])
def test_unknown_time_zone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], zone: str) -> None:
    whole_project(tmp_path / "old")
    answer = typed(capsys, tmp_path, "import", tmp_path / "old", "--timezone", zone)
    assert (answer.code, "There is no time zone" in answer.err) == (1, True)
    assert not (tmp_path / "outputs").exists()


def test_import_does_not_change_the_originals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole_project(tmp_path / "old")
    before = contents(tmp_path / "old")
    typed(capsys, tmp_path, "import", tmp_path / "old")
    assert contents(tmp_path / "old") == before
