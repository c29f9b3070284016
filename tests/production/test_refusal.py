"""A person's refusal of a candidate is in the ledger and in the run's record."""

from __future__ import annotations

from pathlib import Path

import pytest

from mhc.errors import BadInput, Refused
from mhc.production import ledger, refusal
from mhc.production.decision import Request
from mhc.production.promote import promote
from mhc.runs import store
from tests.support.promotions import NOW, World, a_trained_run, policy


@pytest.fixture
def run(tmp_path: Path, world: World) -> Path:
    return a_trained_run(tmp_path / "outputs", tmp_path / "models", world, candidate=True)


def test_refused_candidate_has_the_reason_and_is_one_no_more(run: Path, tmp_path: Path) -> None:
    refusal.refuse(run, by="ada", reason="withdrawn posts", models=tmp_path / "models", now=NOW)
    record = store.read(run)
    assert (record.promotion.candidate, record.promotion.reason) == (False, "refused by ada: withdrawn posts")
    assert (record.history[-1].what, record.history[-1].by) == ("refused", "ada")
    (entry,) = ledger.verified_entries(tmp_path / "models")
    assert (entry.what, entry.run, entry.why) == ("refused", run.name, "withdrawn posts")
    with pytest.raises(Refused, match="is no candidate, so there is nothing to refuse: refused by ada"):
        refusal.refuse(run, by="bob", reason="again", models=tmp_path / "models", now=NOW)
    assert len(ledger.verified_entries(tmp_path / "models")) == 1


def test_refused_run_can_still_be_promoted(run: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    refusal.refuse(run, by="ada", reason="too early", models=models, now=NOW)
    promote(
        Request(run=run, by="bob", reason="now"), outputs=tmp_path / "outputs", models=models, policy=policy(), now=NOW
    )
    assert [entry.what for entry in ledger.verified_entries(models)] == ["refused", "promoted"]
    with pytest.raises(Refused, match="Take it out of production with mhc rollback or mhc retire"):
        refusal.refuse(run, by="ada", reason="no", models=models, now=NOW)


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("ada", " "), ("a\nb", "x")])
def test_refusal_needs_an_author_and_a_reason(run: Path, tmp_path: Path, by: str, reason: str) -> None:
    with pytest.raises(BadInput):
        refusal.refuse(run, by=by, reason=reason, models=tmp_path / "models", now=NOW)
    assert store.read(run).promotion.candidate
