"""A short version of scripts/stress_runs.py; the script itself runs for a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.stress_runs import ROLES, check


@pytest.mark.slow
def test_concurrent_processes_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    tallies, faults = check(tmp_path / "outputs", tmp_path / "reports", seconds=5, runs=600)
    assert [error for tally in tallies for error in tally.errors] == []
    assert {what: count for what, count in faults.items() if count} == {}
    assert {role: sum(tally.role == role for tally in tallies) for role in ROLES} == ROLES
    actions = {action for tally in tallies for action in tally.done}
    assert actions >= {"runs registered", "notes written", "runs archived", "runs restored", "readings"}
