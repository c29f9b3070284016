from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mhc.production import verify
from mhc.production.api import Registry
from mhc.production.decision import Request
from mhc.production.promote import promote
from tests.support.promotions import NOW, World, a_trained_run, policy


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with one commit and one staged change that is not ours."""
    for variable in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(variable, "Ada")
    for variable in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(variable, "ada@example.org")
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("*.safetensors\n*.lock\n.evidence_key\noutputs/\n")
    (tmp_path / "code.py").write_text("first\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "Start")
    (tmp_path / "code.py").write_text("second\n")
    git(tmp_path, "add", "code.py")
    return tmp_path


def promoted(repository: Path, world: World) -> None:
    outputs, models = repository / "outputs", repository / "models"
    run = a_trained_run(outputs, models, world)
    committing = policy(git={"commit": True})
    promote(Request(run=run, by="ada", reason="x"), outputs=outputs, models=models, policy=committing, now=NOW)


def test_promotion_is_committed_and_tagged_without_weights(repository: Path, world: World) -> None:
    promoted(repository, world)
    tracked = git(repository, "ls-files", "models").split()
    assert {"models/ledger.jsonl", "models/registry.json", "models/production/attention_v1/README.md"} <= set(tracked)
    assert "models/production/attention_v1/evaluation/test.npz" in tracked
    assert not [path for path in tracked if path.endswith((".safetensors", ".lock", "evidence_key"))]
    assert git(repository, "tag").split() == ["attention_v1"]
    assert git(repository, "log", "-1", "--format=%s").strip() == "Promote attention_v1"


def test_other_staged_changes_stay_staged(repository: Path, world: World) -> None:
    promoted(repository, world)
    assert git(repository, "diff", "--cached", "--name-only").split() == ["code.py"]
    assert "code.py" not in git(repository, "show", "--name-only", "--format=", "HEAD").split()


def test_clone_of_the_commit_verifies_without_weights(repository: Path, world: World, tmp_path: Path) -> None:
    promoted(repository, world)
    git(repository, "clone", "--quiet", str(repository), str(repository / "outputs" / "clone"))
    assert verify.check(repository / "outputs" / "clone" / "models", without_weights=True).ok


def test_promotion_outside_of_a_repository_logs_git_failure(
    tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    promoted(tmp_path, world)
    assert Registry(tmp_path / "models").champion().name == "attention_v1"
    assert "was not committed to git" in caplog.text


def test_nothing_is_committed_unless_the_policy_requires_it(repository: Path, world: World) -> None:
    outputs, models = repository / "outputs", repository / "models"
    run = a_trained_run(outputs, models, world)
    promote(Request(run=run, by="ada", reason="x"), outputs=outputs, models=models, policy=policy(), now=NOW)
    assert git(repository, "log", "--format=%s").split() == ["Start"]
