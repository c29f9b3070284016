from __future__ import annotations

from pathlib import Path

import pytest

from mhc.index.index import Index
from mhc.index.rows import Row
from mhc.index.tensorboard import boards_of, linked
from mhc.policy import load
from tests.support.builders import a_run
from tests.support.typed import typed

ID = "attention_20261120_120000_a1b2"


def indexed(tmp_path: Path) -> tuple[Index, list[Row]]:
    index = Index(tmp_path / "outputs", tmp_path / "models", lambda: load().liveness)
    return index, index.rows()


def with_logs(folder: Path) -> Path:
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.1.host.1.0").write_bytes(b"")
    return folder


def test_dry_run_prints_the_command_and_readable_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_logs(a_run(tmp_path / "outputs"))
    a_run(tmp_path / "outputs", "other_20261120_120000_0001")
    answer = typed(capsys, tmp_path, "tensorboard", "--dry-run")
    name, command = answer.out.splitlines()
    assert name.startswith("attention val 0.580: ")
    assert command.endswith("-m tensorboard.main --logdir <folder of links> --host localhost --port 6006")
    assert answer.err == ""


def test_selected_run_without_logs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_logs(a_run(tmp_path / "outputs"))
    a_run(tmp_path / "outputs", "other_20261120_120000_0001")
    answer = typed(capsys, tmp_path, "tensorboard", "attention", "other", "--dry-run")
    assert answer.err == "Without TensorBoard logs: other_20261120_120000_0001\n"
    answer = typed(capsys, tmp_path, "tensorboard", "other", "--dry-run")
    assert (answer.code, "None of 1 run has TensorBoard logs" in answer.err) == (1, True)


def test_missing_runs_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = typed(capsys, tmp_path, "tensorboard", "--dry-run")
    assert (answer.code, "There are no runs" in answer.err) == (1, True)


def test_links_lead_to_the_logs_and_are_removed_afterwards(tmp_path: Path) -> None:
    folders = [with_logs(a_run(tmp_path / "outputs", f"../../x_2026112{n}_120000_000{n}"[6:])) for n in (1, 2)]
    boards, without = boards_of(*indexed(tmp_path))
    assert (len({board.name for board in boards}), without) == (2, [])
    with linked(boards) as links:
        assert sorted(link.resolve() for link in links.iterdir()) == sorted(f / "tensorboard" for f in folders)
    assert not links.exists()
    assert all((folder / "tensorboard").is_dir() for folder in folders)


@pytest.mark.parametrize("name", ["../../x", "/etc", "a\x1b[31m", "x" * 10_000])
def test_hostile_name_makes_no_path(tmp_path: Path, name: str) -> None:
    with_logs(a_run(tmp_path / "outputs", name=name))
    boards, _ = boards_of(*indexed(tmp_path))
    with linked(boards) as links:
        assert [link.parent for link in links.iterdir()] == [links]


def test_logs_linked_from_outside_the_run_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_logs(a_run(tmp_path / "elsewhere"))
    folder = a_run(tmp_path / "outputs")
    (folder / "tensorboard").symlink_to(tmp_path / "elsewhere" / ID / "tensorboard")
    assert typed(capsys, tmp_path, "tensorboard", ID, "--dry-run").code == 1


def test_runs_are_named_by_what_differs_between_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (lr, seed) in enumerate([(0.003, 1), (0.003, 2), (0.001, 1)]):
        folder = with_logs(a_run(tmp_path / "outputs", f"lr_search_20261120_12000{number}_000{number}", seed=seed))
        (folder / ".hydra" / "config.yaml").write_text(f"seed: {seed}\nmodel:\n  optimizer:\n    lr: {lr}\n")
    names = [line.partition(": ")[0] for line in typed(capsys, tmp_path, "tensorboard", "--dry-run").out.splitlines()]
    expected = ["lr=0.003 seed=1 val 0.580", "lr=0.003 seed=2 val 0.580", "lr=0.001 seed=1 val 0.580"]
    assert names[:3] == expected
