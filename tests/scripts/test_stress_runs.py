"""A short version of scripts/stress_runs.py; the script itself runs for a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.stress_runs import ROLES, prove


@pytest.mark.slow
def test_writers_cleaners_and_readers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    tallies, wrong = prove(tmp_path / "outputs", tmp_path / "reports", seconds=5, runs=600)
    assert [error for tally in tallies for error in tally.errors] == []
    assert {what: count for what, count in wrong.items() if count} == {}
    assert {role: sum(tally.role == role for tally in tallies) for role in ROLES} == ROLES
    done = {what for tally in tallies for what in tally.done}
    assert done >= {"runs made", "notes written", "runs archived", "runs restored", "readings"}
