from __future__ import annotations

import hashlib
import subprocess
import time
from pathlib import Path

import pytest

from mhc.provenance import lineage, uncommitted
from mhc.record import Lineage


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.py").write_text("one = 1\n")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tree), *words], check=True)
    return tree


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def head(tree: Path) -> str:
    words = ["git", "-C", str(tree), "rev-parse", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_clean_tree_has_a_commit_and_no_diff(tree: Path, run: Path) -> None:
    record = lineage.gather(run, tree=tree)
    assert (record.git_commit, record.git_branch, record.git_dirty, record.git_diff) == (
        head(tree),
        "main",
        False,
        None,
    )
    assert list(run.iterdir()) == []


def commit(tree: Path, **files: str) -> None:
    for name, content in files.items():
        (tree / name).write_text(content)
    for words in (["add", "."], ["commit", "-q", "-m", "More"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tree), *words], check=True)


def contents(record: Lineage) -> dict[str, str]:
    return {change.path: change.content.value for change in record.git_changes}


def test_diff_of_a_dirty_tree_is_stored_and_applies(tree: Path, run: Path, tmp_path: Path) -> None:
    (tree / "a.py").write_text("one = 2\n")
    (tree / "new.py").write_text("secret = 1\n")
    record = lineage.gather(run, tree=tree)
    assert (record.git_dirty, record.git_diff) == (True, "git.diff")
    assert contents(record) == {"a.py": "kept", "new.py": "untracked"}
    assert [change.sha256 for change in record.git_changes] == [
        hashlib.sha256(text.encode()).hexdigest() for text in ("one = 2\n", "secret = 1\n")
    ]
    diff = (run / "git.diff").read_text()
    assert "+one = 2" in diff
    assert "secret" not in diff
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(tree), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "apply", str(run / "git.diff")], check=True)
    assert (clone / "a.py").read_text() == "one = 2\n"


@pytest.mark.parametrize("name", [".env", "prod.env", "posts.csv", "notes.ipynb", "texts.json", "README", "posts.txt"])
def test_content_of_a_data_file_is_never_stored(tree: Path, run: Path, name: str) -> None:
    commit(tree, **{name: "before\n"})
    (tree / name).write_text("a patient's name\n")
    record = lineage.gather(run, tree=tree, code_files=[".py", ".env", ".csv", ".ipynb", ".json", "", ".txt"])
    assert (record.git_dirty, record.git_diff, contents(record)) == (True, None, {name: "not code"})
    assert list(run.iterdir()) == []


def test_credentials_in_the_diff_of_code_are_masked(tree: Path, run: Path) -> None:
    commit(tree, **{"conf.yaml": "a: 1\n"})
    (tree / "a.py").write_text('api_key = "PLANTED1"\ntoken = tokenizer.encode(text)\n')
    (tree / "conf.yaml").write_text("password: PLANTED2\n")
    lineage.gather(run, tree=tree)
    diff = (run / "git.diff").read_text()
    assert "PLANTED" not in diff
    assert '+api_key = "***masked***"\n+token = tokenizer.encode(text)\n' in diff
    assert "+password: ***masked***\n" in diff


def test_diff_of_a_file_too_large_is_left_out_whole(tree: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(tree, **{"b.py": "two = 2\n"})
    monkeypatch.setattr(uncommitted, "MAX_DIFF", 1000)
    (tree / "a.py").write_text("x = 1\n" * 10_000)
    (tree / "b.py").write_text("two = 3\n")
    record = lineage.gather(run, tree=tree)
    assert contents(record) == {"a.py": "left out", "b.py": "kept"}
    assert (run / "git.diff").read_text().count("diff --git") == 1


def test_file_of_long_lines_or_bytes_is_left_out(tree: Path, run: Path) -> None:
    commit(tree, **{"b.py": "two = 2\n", "c d.py": "a = 1\n"})
    (tree / "a.py").write_text(f"posts = {'x' * 10_000!r}\n")
    (tree / "b.py").write_bytes(b"\0\1\2")
    (tree / "c d.py").write_text("a = 2\n")
    record = lineage.gather(run, tree=tree)
    assert contents(record) == {"a.py": "left out", "b.py": "left out", "c d.py": "kept"}


@pytest.mark.parametrize("commit", [False, True], ids=["no git tree", "no git"])
def test_without_git_the_state_is_unknown(
    tree: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: bool
) -> None:
    if commit:
        monkeypatch.setenv("PATH", str(tmp_path))
    record = lineage.gather(run, tree=tree if commit else tmp_path)
    assert (record.git_commit, record.git_dirty, record.git_diff) == (None, None, None)


def test_reading_the_state_does_not_write_the_git_index(tree: Path, run: Path) -> None:
    (tree / "a.py").touch()
    before = (tree / ".git" / "index").stat().st_mtime_ns
    lineage.gather(run, tree=tree)
    assert (tree / ".git" / "index").stat().st_mtime_ns == before


def test_packages_hardware_and_command_are_recorded(run: Path) -> None:
    record = lineage.gather(run, overrides=["model=micro"], config_hash="abc", command=["python", "-m", "mhc.train"])
    assert {"torch", "pytorch-lightning", "transformers", "mhc"} <= set(record.packages)
    assert record.hardware["cores"]
    assert record.hardware["memory_gb"]
    assert (record.command, record.overrides, record.config_hash) == (
        ["python", "-m", "mhc.train"],
        ["model=micro"],
        "abc",
    )


def test_command_may_contain_bytes_that_are_not_utf8(run: Path) -> None:
    assert lineage.gather(run, command=["a\udcff"]).command == ["a?"]


def test_hash_depends_on_values_and_not_on_their_order() -> None:
    one = {"model": {"lr": 1e-3, "name": "a"}, "data": {"x": None}}
    same = {"data": {"x": None}, "model": {"name": "a", "lr": 1e-3}}
    assert lineage.config_hash(one) == lineage.config_hash(same)
    assert lineage.config_hash(one) != lineage.config_hash({**one, "model": {"lr": 2e-3, "name": "a"}})
    assert len(lineage.config_hash(one)) == 16


def test_gathering_takes_less_than_a_second(tree: Path, run: Path) -> None:
    lineage.gather(run, tree=tree)
    start = time.perf_counter()
    lineage.gather(run, tree=tree)
    assert time.perf_counter() - start < 1.0


def test_runs_bundles_and_caches_are_no_change_of_code(tree: Path, run: Path) -> None:
    for name in ("outputs/run/run.json", "models/ledger.jsonl", ".cache/texts.arrow", "odd [x]/file"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("{}")
    places = [tree / name for name in ("outputs", "models", ".cache", "odd [x]")] + [run, tree.parent]
    assert lineage.gather(run, tree=tree / "models", not_code=places).git_dirty is False
    (tree / "new.py").write_text("two = 2\n")
    record = lineage.gather(run, tree=tree, not_code=places)
    assert record.git_dirty
    assert [file.path for file in record.git_changes] == ["new.py"]
