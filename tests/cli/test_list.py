"""mhc list: selection, order, and the output in a pipe and at 80 and 120 columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mhc.runs.liveness import this_process
from tests.cli.conftest import Answer, Screen
from tests.support.builders import NOW, a_run, a_tree, process

Mhc = Callable[..., Answer]
Terminal = Callable[..., Screen]


def names(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [line.split("\t")[0].split("_2026")[0] for line in answer.out.splitlines()[1:]]


def test_list_shows_the_runs_of_all_locations_newest_first(mhc: Mhc, tree: Path) -> None:
    answer = mhc("list")
    assert names(answer) == ["gone", "cut", "broken", "debug_loader", "focal", "focal", "attention", "old"]
    assert answer.out.splitlines()[0].split("\t") == [
        "id",
        "status",
        "category",
        "model",
        "data",
        "age",
        "took",
        "val F1",
        "test F1",
        "cand",
        "tags",
        "place",
    ]
    assert answer.out.splitlines()[6].split("\t")[6:] == ["12m00s", "0.660", "0.660", "yes", "-", "-"]
    assert answer.err == "8 runs: 5 completed, 1 failed, 1 interrupted, 1 lost; 2 candidates\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--status", "failed", "--status", "lost"], "gone broken"),
        (["--category", "debug"], "debug_loader"),
        (["--tag", "paper", "--tag", "research"], "attention"),
        (["--tag", "pap"], ""),
        (["--name", "OCA"], "focal focal"),
        (["--location", "archived"], "old"),
        (["--where", "f1_macro >= 0.5 and not tags has paper"], "debug_loader focal"),
        (["--where", "model = medium or sweep ~ beef"], "focal focal"),
        (["--sort", "f1_macro", "--limit", "2"], "focal debug_loader"),
        (["--sort", "name", "--limit", "2"], "attention broken"),
        (["--sort", "recall.depression", "--reverse", "--limit", "1"], "old"),
        (["--limit", "0", "--status", "completed"], "debug_loader focal focal attention old"),
        (["--since", "2026-11-20T15:30"], "gone cut broken"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_select_and_sort(mhc: Mhc, tree: Path, words: list[str], expected: str) -> None:
    answer = mhc("list", *words)
    ids = [line.split("\t")[0].split("_2026")[0] for line in answer.out.splitlines()[1:]]
    assert (answer.code, ids) == (0, expected.split())


def test_json_is_a_list_of_records_with_location_and_path(mhc: Mhc, tree: Path) -> None:
    records = json.loads(mhc("list", "--json", "--location", "archive_baseline").out)
    folder = tree / "archive_baseline" / "broken_20261120_160000_0008"
    recorded = json.loads((folder / "run.json").read_text())
    config = {"seed": 1, "model": {"name": "baseline", "optimizer": {"lr": 0.0003}}, "trainer": {"max_epochs": 4}}
    assert records == [recorded | {"location": "archive_baseline", "path": str(folder), "config": config}]


def test_lost_run_shows_as_lost_also_in_json_and_where(mhc: Mhc, outputs: Path) -> None:
    a_run(outputs, "killed_20261120_120000_a1b2", status="running", process=process(boot_id=this_process().boot_id))
    assert mhc("list").out.splitlines()[1].split("\t")[1] == "lost"
    (record,) = json.loads(mhc("list", "--json", "--where", "status = lost").out)
    assert record["status"] == "lost"
    assert "is gone" in record["status_reason"]
    assert mhc("list", "--status", "running").out == ""


def test_columns_show_any_field(mhc: Mhc, tree: Path) -> None:
    answer = mhc(
        "list", "--name", "attention", "--columns", "name,model.parameters,recall.depression,tags,created_at,duration"
    )
    assert answer.out.splitlines()[1].split("\t") == [
        "attention", "4,700,000", "0.58", "research, paper", "2026-11-20 12:00:00 UTC", "12m00s"
    ]  # fmt: skip


def test_unknown_column_or_order_is_an_error(mhc: Mhc, tree: Path) -> None:
    assert "did you mean 'f1_macro'" in mhc("list", "--columns", "f1_makro").err
    assert mhc("list", "--sort", "nothing").code == 1


def test_error_in_where_points_at_its_position(mhc: Mhc, tree: Path) -> None:
    answer = mhc("list", "--where", "f1_macro >= high")
    assert (answer.code, answer.err.splitlines()[1:]) == (1, ["  f1_macro >= high", "              ^"])


def test_seed_group_has_mean_sd_and_t_interval(mhc: Mhc, tree: Path) -> None:
    answer = mhc("list", "--group", "seed", "--name", "focal")
    assert answer.out.splitlines()[1].split("\t")[1:4] == ["2", "0.530 ± 0.184", "0.000 to 1.000"]
    (group,) = json.loads(mhc("list", "--group", "sweep", "--json").out)
    assert (group["group"], group["runs"]) == ("focal_20261120_140000_beef_sweep", ["focal_20261120_140000_e5f6"])
    assert (group["f1_macro"]["mean"], group["f1_macro"]["sd"]) == (0.4, None)
    models = [line.split("\t")[0] for line in mhc("list", "--group", "model").out.splitlines()[1:]]
    assert models == ["medium", "baseline", "micro"]


def test_empty_list_is_reported(mhc: Mhc, outputs: Path) -> None:
    answer = mhc("list")
    assert (answer.code, answer.out) == (0, "")
    assert f"There are no runs in {outputs}. Make the first one" in answer.err
    a_run(outputs)
    assert mhc("list", "--name", "nothing").err == f"No run fits, of 1 run in {outputs}.\n"


def test_unreadable_folders_are_reported_beside_the_table(mhc: Mhc, outputs: Path) -> None:
    a_tree(outputs, 5)
    for name in ("a", "b", "c", "d"):
        (a_run(outputs, name) / "run.json").write_bytes(b"{")
    answer = mhc("list")
    assert (answer.code, len(names(answer))) == (0, 5)
    assert answer.err.count("cannot be read: run.json is torn") == 3
    assert "1 more folders cannot be read. See all with: mhc doctor" in answer.err


@pytest.mark.parametrize("columns", [80, 120])
def test_table_fits_the_terminal(terminal: Terminal, tree: Path, columns: int) -> None:
    screen = terminal("list", columns=columns)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= columns
    head = screen.lines[0].split()
    wide = columns == 120
    needed = ["id", "status", "category", "model", "data", "age", *(["took"] if wide else []), "val", "F1"]
    assert head[: len(needed)] == needed
    assert ("tags" in head) == wide
    assert "cand" in head
    assert "\x1b[" in screen.text


def test_shortened_id_of_a_narrow_terminal_is_resolved(terminal: Terminal, mhc: Mhc, tree: Path) -> None:
    shown = next(line.split()[0] for line in terminal("list", columns=80).lines if line.startswith("debug_loader"))
    assert "…" in shown
    assert "debug_loader_20261120_150000_0007" in mhc("details", shown).out


def test_no_color_and_pipes_have_no_escapes(terminal: Terminal, mhc: Mhc, tree: Path) -> None:
    assert "\x1b" not in terminal("list", columns=100, NO_COLOR="1").text
    assert "\x1b" not in mhc("list").out


EVIL = "\x1b[31mevil\x1b]0;t\x07\u202e\x9b2J"
READERS = [
    ["list"], ["list", "--json"], ["list", "--columns", "name,tags,note,id"], ["list", "--group", "model"],
    ["details", "evil"], ["details", "evil", "--json"], ["details", "evil", "--diff", "attention"],
    ["candidates", "--all"],
    ["compare", "evil", "attention"], ["search", "evil"], ["log"], ["log", "--json"], ["summary"], ["watch", "--once"],
]  # fmt: skip


@pytest.mark.parametrize("words", READERS, ids=" ".join)
@pytest.mark.parametrize("on_screen", [False, True], ids=["pipe", "terminal"])
def test_hostile_record_does_not_reach_the_terminal_raw(
    mhc: Mhc, terminal: Terminal, outputs: Path, words: list[str], *, on_screen: bool
) -> None:
    from mhc.facts import Metrics
    from mhc.record import Event, Gate, MetricsBySplit
    from tests.support.builders import model_facts

    a_run(outputs)
    a_run(
        outputs, "evil_20261120_120000_0000", candidate=True, created=NOW + timedelta(hours=1), name=EVIL, tags=[EVIL],
        note=EVIL * 3000, description=EVIL, status_reason=EVIL, category_reason=EVIL,
        gates=[Gate(name=EVIL, verdict=EVIL, reason=EVIL)], model=EVIL, group=EVIL,
        metrics=MetricsBySplit(test=Metrics(accuracy=0.5, f1_macro=0.5, recall={EVIL: 0.1}, f1={EVIL: 0.1})),
        history=[Event(at=NOW.isoformat(), what=EVIL, by=EVIL, why=EVIL)],
    )  # fmt: skip
    assert model_facts(EVIL).name == EVIL
    if on_screen:
        screen = terminal(*words, columns=100, NO_COLOR="1", PAGER="")
        code, text = screen.code, screen.text
    else:
        answer = mhc(*words)
        code, text = answer.code, answer.out + answer.err
    assert code == 0, text
    for raw in ("\x1b", "\x07", "\x9b", "\u202e"):
        assert raw not in text
    assert max(map(len, text.splitlines())) < 20_000 or "--json" in words


@pytest.mark.parametrize("hostile_id", ["../../etc/passwd", "/etc", "a" * 10_000, EVIL, "\udcff\udcfe", "--", "%"])
@pytest.mark.parametrize(
    "command", [["details"], ["compare", "attention"], ["log", "--run"]], ids=lambda words: words[0]
)
def test_error_about_a_hostile_id_is_short_and_safe(mhc: Mhc, tree: Path, command: list[str], hostile_id: str) -> None:
    answer = mhc(*command, hostile_id)
    assert answer.code in (1, 2)
    assert len(answer.err) < 600
    assert "\x1b" not in answer.err
