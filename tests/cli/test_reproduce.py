from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mhc.runs import folders, store
from tests.support.builders import a_run
from tests.support.typed import contents, typed

ID = "attention_20261120_120000_a1b2"
PROJECT = Path(__file__).resolve().parents[2]


def test_reproduce_prints_the_exact_command_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(tmp_path / "outputs")
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, "reproduce", ID)
    assert answer.code == 0
    assert answer.out.splitlines()[-1].endswith("python -m mhc.train model=baseline seed=1")
    assert contents(tmp_path) == before


def test_unknown_commit_is_refused_without_leftovers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path / "outputs")
    before = contents(tmp_path)
    answer = typed(capsys, tmp_path, "reproduce", ID, "--run")
    assert answer.code == 1
    assert "git worktree failed" in answer.err
    assert contents(tmp_path) == before
    assert sorted(path.name for path in (tmp_path / "outputs").iterdir()) == [".index.sqlite", ID]


def test_commands_name_the_repository_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(tmp_path / "outputs")
    for place, words in ((tmp_path, f"git -C {PROJECT} worktree add"), (PROJECT, "git worktree add --detach ../mhc-")):
        monkeypatch.chdir(place)
        assert typed(capsys, tmp_path, "reproduce", ID).out.startswith(words)


def a_project(folder: Path) -> Path:
    """Make a git repository with a copy of the code and an uncommitted change of a config."""
    for part in ("mhc", "callbacks", "conf"):
        shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text("__pycache__/\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    micro = folder / "conf" / "model" / "micro.yaml"
    micro.write_text(f"{micro.read_text()}# an uncommitted change\n")
    return folder


@pytest.mark.slow
def test_reproduced_training_has_the_same_metrics(tmp_path: Path) -> None:
    """Train for some seconds, twice: directly, and reproduced with the recorded commit and diff."""
    project, outputs = a_project(tmp_path / "project"), tmp_path / "outputs"
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}
    environment["MHC_CACHE"] = str(tmp_path / "cache")

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    words = ["model=micro", "data=synthetic", "data.rows=240", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    trained = python("mhc.train", *words, f"paths.outputs={outputs}")
    assert trained.returncode == 0, trained.stderr
    (first,) = [folder for folder, _ in folders.iter_runs(outputs)]
    assert (first / "git.diff").is_file()
    lines = python("mhc.cli.main", "--outputs", str(outputs), "reproduce", first.name).stdout.splitlines()
    lines[-1] = f"{lines[-1]} --cfg job".replace(" python ", f" {sys.executable} ")
    printed = subprocess.run(["bash", "-ec", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True)
    assert "epochs: 1" in printed.stdout, printed.stderr
    shutil.rmtree(tmp_path / f"mhc-reproduce-{first.name}")
    subprocess.run(["git", "-C", project, "worktree", "prune"], check=True)
    answer = python("mhc.cli.main", "--outputs", str(outputs), "reproduce", first.name, "--run")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"are those of {first.name} within 1e-06" in answer.stdout
    (again,) = [folder for folder, _ in folders.iter_runs(outputs) if folder != first]
    record = store.read(again)
    assert record.history[-1].why == f"made again from {first.name}: reproduced"
    assert (record.lineage.git_commit, record.lineage.git_dirty) == (store.read(first).lineage.git_commit, True)
    assert (record.promotion.candidate, record.promotion.reason[:10]) == (False, "made again")
    (place,) = [line.split()[1] for line in (answer.stdout + answer.stderr).splitlines() if line[:5] == "Run  "]
    assert (tmp_path / place).samefile(again)
    trees = subprocess.run(["git", "-C", project, "worktree", "list"], capture_output=True, text=True, check=True)
    assert len(trees.stdout.splitlines()) == 1
