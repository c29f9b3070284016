"""Run a command line of mhc in this process, and return its exit code and both streams."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import pytest

from mhc.cli.main import run


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def typed(capsys: pytest.CaptureFixture[str], home: Path, *words: str | Path) -> Answer:
    """Run `mhc --outputs <home>/outputs --models <home>/models <words>`."""
    capsys.readouterr()
    code = run(["--outputs", str(home / "outputs"), "--models", str(home / "models"), *map(str, words)])
    return Answer(code, *capsys.readouterr())


def contents(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file, by its path, without locks (which are empty), the index and the log of moves."""
    skipped = ("run.lock", ".index.sqlite", ".index.sqlite-journal", "events.jsonl")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in skipped]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
