"""mhc details: the whole record in readable sections."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mhc.facts import SplitFacts
from mhc.record import Checkpoint, Failure, Lineage
from tests.cli.conftest import Answer, Screen
from tests.support.builders import a_run, data_facts, process

Mhc = Callable[..., Answer]


def lines(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return answer.out.splitlines()


def test_details_show_every_section(mhc: Mhc, tree: Path) -> None:
    printed = lines(mhc("details", "focal_20261120_14"))
    folder = tree / "focal_20261120_140000_beef_sweep" / "focal_20261120_140000_e5f6"
    for line in (
        "focal_20261120_140000_e5f6",
        "status\tcompleted",
        "category\tbaseline: nothing speaks for a debug run",
        "took\t12m00s",
        f"place\t{folder}",
        "sweep\tfocal_20261120_140000_beef_sweep, job 0",
        "candidate\tno",
        "recall\tfailed\t0.080\tdepression is found in 0.08",
        "test\t0.500\t0.400\t0.070\t0.910",
        "depression\t0.400\t0.400\t0.400\t250",
        "data\tmh4_balanced",
        "test\t1,000\t-\ttest0test0test0t",
        "command\tpython -m mhc.train model=baseline",
        "git\t0123456789ab on main",
        "2026-11-20 14:12:00\tcompleted\tRegisterRun\tthe training ended",
        "checkpoints/best.ckpt\t64 B",
    ):
        assert line in printed


def test_details_show_the_failure(mhc: Mhc, outputs: Path) -> None:
    failure = Failure(
        type="BadInput", sentence="no column text", where="mhc/data/files.py:12 read", traceback="traceback.txt"
    )
    folder = a_run(outputs, "broken", status="failed", failure=failure, status_reason="BadInput: no column text")
    printed = lines(mhc("details", "broken"))
    assert "status\tfailed: BadInput: no column text" in printed
    assert "BadInput\tno column text" in printed
    assert f"traceback\t{folder / 'traceback.txt'}" in printed


def test_details_of_a_bare_record_omit_empty_sections(mhc: Mhc, outputs: Path) -> None:
    a_run(
        outputs, "bare", status="unknown", category=None, accuracy=None, f1_macro=None, data=None, model=None,
        lineage=Lineage(imported_from="mhc_v1: registry.json"), history=[], took=None,
    )  # fmt: skip
    printed = lines(mhc("details", "bare"))
    assert "category\tnot classified" in printed
    assert "candidate\tnot judged" in printed
    assert "imported from\tmhc_v1: registry.json" in printed
    assert not {"Model", "Data", "History", "Failure"} & set(printed)


def test_details_show_pin_note_checkpoint_and_cut_data(mhc: Mhc, outputs: Path) -> None:
    data = data_facts(synthetic=True, train_fraction=0.25, splits={"train": SplitFacts(rows=10, fingerprint="ab")},
                      cut={"train": "given"})  # fmt: skip
    best = Checkpoint(
        path="checkpoints/best.ckpt", sha256="f" * 64, bytes=19_000_000, monitor="val/f1_macro", score=0.61
    )
    a_run(outputs, "noted", pinned=True, note="keep", data=data, checkpoint=best)
    printed = lines(mhc("details", "noted"))
    assert "pinned\tyes: it is never archived by rule" in printed
    assert "note\tkeep" in printed
    assert "data\tmh4_balanced (synthetic); 25% of train was used" in printed
    assert "checkpoint\tcheckpoints/best.ckpt, 19.0 MB, sha256 ffffffffffff" in printed
    assert "reached\t4 epochs, 1,000 steps, best val/f1_macro 0.610" in printed


def test_killed_run_is_shown_as_lost_with_the_reason(mhc: Mhc, outputs: Path) -> None:
    from mhc.runs.liveness import this_process

    a_run(outputs, "killed", status="running", process=process(boot_id=this_process().boot_id))
    assert "status\tlost: process 99999999 is gone" in lines(mhc("details", "killed"))


def test_unreadable_record_is_a_sentence(mhc: Mhc, outputs: Path) -> None:
    (a_run(outputs, "torn") / "run.json").write_bytes(b'{"schema": 1,')
    answer = mhc("details", "torn")
    assert answer.code == 1
    assert f"The record of {outputs / 'torn'} cannot be read: run.json is torn" in answer.err


def test_json_of_details_is_the_record_with_location_and_path(mhc: Mhc, tree: Path) -> None:
    (record,) = json.loads(mhc("details", "old_", "--json").out)
    assert (record["id"], record["location"]) == ("old_20260101_090000_000b", "archived")


def test_diff_shows_the_differences_to_another_run(mhc: Mhc, tree: Path) -> None:
    printed = lines(mhc("details", "a1b2", "--diff", "c3d4"))
    assert printed[1:4] == [
        "What differs",
        "\tattention_20261120_120000_a1b2\tfocal_20261120_130000_c3d4",
        "seed\t1\t2",
    ]
    assert "test.f1_macro\t0.58\t0.66 *" in printed


@pytest.mark.parametrize("columns", [80, 120])
def test_details_fit_the_terminal(terminal: Callable[..., Screen], tree: Path, columns: int) -> None:
    screen = terminal("details", "e5f6", columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns


def test_details_put_metrics_and_verdict_first(mhc: Mhc, tree: Path) -> None:
    printed = lines(mhc("details", "focal_20261120_14"))
    titles = ["Metrics of the best checkpoint", "Promotion", "Model", "Data", "History"]
    places = [printed.index(title) for title in titles]
    assert places == sorted(places)


def test_what_was_found_in_the_data_is_shown(mhc: Mhc, outputs: Path) -> None:
    found = data_facts(reading=["test: 5 of 25 texts are placeholders"], cleaning={"duplicates_in_train": 1200})
    a_run(outputs, "found_20261120_120000_0000", data=found)
    printed = lines(mhc("details", "found_20261120_120000_0000"))
    assert "found\ttest: 5 of 25 texts are placeholders" in printed
    assert "\trows left out: 1,200 duplicates in train" in printed


def test_details_go_through_the_pager_on_a_terminal_only(
    terminal: Callable[..., Screen], mhc: Mhc, tree: Path, tmp_path: Path
) -> None:
    words = ("details", "focal_20261120_14")
    copy = tmp_path / "copy"
    screen = terminal(*words, columns=80, PAGER=f"tee {copy}")
    assert (screen.code, "Promotion" in screen.text) == (0, True)
    assert "Promotion" in copy.read_text()
    assert terminal(*words, columns=80, PAGER="true").code == 0, "the reader has left at once"
    for unusable in ("/no/such/pager", "less '"):
        assert "Promotion" in terminal(*words, columns=80, PAGER=unusable).text
    copy.unlink()
    assert "Promotion" in mhc(*words).out
    assert not copy.exists()
