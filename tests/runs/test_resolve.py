"""A run is resolved by id, its beginning, its end, a shortened id or a path, on the disk as in the index."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mhc.errors import Conflict, NotFound
from mhc.index import resolve as index_resolve
from mhc.index.index import Index
from mhc.policy import load
from mhc.runs import resolve
from tests.support.builders import a_run

Find = Callable[[Path, str], Path]


def by_index(outputs: Path, text: str) -> Path:
    index = Index(outputs, outputs.parent / "models", lambda: load().liveness)
    return index.folder(index_resolve.find(index, text).path)


@pytest.fixture(params=[resolve.find, by_index], ids=["disk", "index"])
def find(request: pytest.FixtureRequest) -> Find:
    function: Find = request.param
    return function


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("attention_20261121_120000_c3d4", id="the complete id"),
        pytest.param("attention_20261121", id="its beginning"),
        pytest.param("c3d4", id="its end"),
        pytest.param("0_c3d4", id="a longer end"),
        pytest.param("atten…_c3d4", id="shortened by an ellipsis"),
        pytest.param("atten...c3d4", id="shortened by three dots"),
        pytest.param("…c3d4", id="an ellipsis and the end"),
        pytest.param("sweep_1/attention_20261121_120000_c3d4", id="a path inside outputs"),
        pytest.param("outputs/sweep_1/attention_20261121_120000_c3d4", id="a relative path"),
    ],
)
def test_run_is_found(find: Find, outputs: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    a_run(outputs, "attention_20261120_120000_a1b2")
    run = a_run(outputs, "attention_20261121_120000_c3d4", sweep="sweep_1")
    monkeypatch.chdir(outputs.parent)
    assert find(outputs, text).resolve() == run
    assert find(outputs, str(run)) == run


def test_archived_run_is_found(find: Find, outputs: Path) -> None:
    run = a_run(outputs, "abc_20261120_120000_0001", location="archived")
    a_run(outputs, "xyz_20261120_120000_0002")
    assert find(outputs, "ab") == find(outputs, "0001") == run


def test_complete_id_wins_over_longer_ids(find: Find, outputs: Path) -> None:
    run = a_run(outputs, "a_20261120_120000_0001")
    a_run(outputs, "a_20261120_120000_0001_more")
    assert find(outputs, "a_20261120_120000_0001") == run


def test_beginning_wins_over_end(find: Find, outputs: Path) -> None:
    run = a_run(outputs, "beef_20261120_120000_0001")
    a_run(outputs, "other_20261120_120000_beef")
    assert find(outputs, "beef") == run


def test_ambiguous_id_lists_ten_choices(find: Find, outputs: Path) -> None:
    for number in range(12):
        a_run(outputs, f"run_{number:02}")
    with pytest.raises(Conflict) as raised:
        find(outputs, "run_")
    lines = str(raised.value).split("\n")
    assert lines[0] == "12 runs match 'run_'. Type more of the id:"
    assert len(lines) == 12
    assert lines[-1] == "  and 2 more"


def test_same_id_in_two_folders_asks_for_the_path(find: Find, outputs: Path) -> None:
    run = a_run(outputs, "twice_20261120_120000_0001")
    shutil.copytree(run, outputs / "copies" / run.name)
    with pytest.raises(Conflict, match=r"2 folders contain the run 'twice_20261120'\. Give the path of one of them"):
        find(outputs, "twice_20261120")
    assert find(outputs, f"copies/{run.name}") == outputs / "copies" / run.name


def test_mistyped_id_gets_a_suggestion(find: Find, outputs: Path) -> None:
    a_run(outputs, "attention_20261120_120000_a1b2")
    with pytest.raises(NotFound, match=r"No run 'atention_2026' in .*Did you mean: attention_20261120_120000_a1b2"):
        find(outputs, "atention_2026")


def test_no_runs_at_all_is_stated(find: Find, outputs: Path) -> None:
    with pytest.raises(NotFound, match=r"No run 'a1b2' in .*outputs\. There are no runs in it yet$"):
        find(outputs, "a1b2")


@pytest.mark.parametrize(
    "text",
    ["../../etc", "/etc", "..", ".", "/", "", "\x1b[31m", "a" * 10_000, "%", "_", "' OR 1=1 --", "\udcff", "\0", "a\0b",
     "../elsewhere/a_20261120_120000_0001", "x/../../elsewhere"],
)  # fmt: skip
def test_hostile_id_finds_nothing(find: Find, outputs: Path, tmp_path: Path, text: str) -> None:
    a_run(tmp_path / "elsewhere", "a_20261120_120000_0001")
    a_run(outputs, "inside")
    with pytest.raises(NotFound) as raised:
        find(outputs, text)
    assert len(str(raised.value)) < 400


def test_link_out_of_outputs_is_not_found(find: Find, outputs: Path, tmp_path: Path) -> None:
    outside = a_run(tmp_path / "elsewhere", "a_20261120_120000_0001")
    (outputs / "link").symlink_to(outside)
    for text in (str(outputs / "link"), str(outside), "../elsewhere/a_20261120_120000_0001"):
        with pytest.raises(NotFound):
            find(outputs, text)
