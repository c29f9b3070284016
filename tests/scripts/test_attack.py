"""The short forms of the attacks that take less than half a minute find nothing; the others are run by hand."""

from __future__ import annotations

import pytest

from scripts.attack import carry_out, names

SHORT = ("fuzz_files", "overrides", "special_files", "tampering", "where_expressions")


def test_short_attacks_exist() -> None:
    assert set(SHORT) <= set(names())


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_quick_attack_finds_nothing(name: str) -> None:
    outcomes = carry_out(name, quick=True)
    assert outcomes
    assert all(outcome.tried for outcome in outcomes)
    assert [failure for outcome in outcomes for failure in outcome.failures] == []
