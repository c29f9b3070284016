"""The short form of every attack finds nothing."""

from __future__ import annotations

import pytest

from scripts.attack import carry_out, names

ELSEWHERE = ("sweep_signals",)
"""Its quick form is a test of tests/training/test_sweep_process.py, which also reads the reasons: "killed"."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in names() if name not in ELSEWHERE])
def test_quick_attack_finds_nothing(name: str) -> None:
    outcomes = carry_out(name, quick=True)
    assert outcomes
    for outcome in outcomes:
        if outcome.skipped:
            pytest.skip(outcome.skipped)
        assert outcome.tried
    assert [failure for outcome in outcomes for failure in outcome.failures] == []
