"""Facts of a corpus."""

from __future__ import annotations

from mhc.data import corpus


def test_shared_groups_are_counted_once() -> None:
    assert corpus.shared_groups(["ann", "ann", "bob"], ["bob", "ann", "ann", "eve"]) == 2


def test_unknown_authors_are_not_a_shared_group() -> None:
    assert corpus.shared_groups(["ann", None], [None, "eve"]) == 0
