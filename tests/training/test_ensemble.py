"""`python -m mhc.ensemble`: a run that averages others, its gates and its bundle."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mhc import ensemble
from mhc.errors import BadInput, Refused, Unreadable
from mhc.facts import SplitFacts
from mhc.model.calibration import apply_temperature, fit_temperature
from mhc.policy import load
from mhc.production import gates, loading
from mhc.production.decision import Request
from mhc.production.measure import measure
from mhc.production.promote import promote
from mhc.provenance.recipe import recipe
from mhc.record import Category, RunRecord, Status, encode
from mhc.runs import evidence, store
from mhc.runs.process_control import must_be_resumable
from mhc.training.ensemble import Wish, average
from mhc.training.ensemble_members import refuse_unlike
from tests.production.conftest import world as world
from tests.support.builders import a_record, data_facts
from tests.support.promotions import World, a_trained_run

WEAK, STRONG = "weak_20261120_120000_a1b2", "strong_20261120_130000_c3d4"


class Made:
    """Two runs and their ensemble."""

    def __init__(self, root: Path, world: World) -> None:
        self.outputs, self.models = root / "outputs", root / "models"
        for name, quality in ((WEAK, "weak"), (STRONG, "strong")):
            a_trained_run(self.outputs, self.models, world, name, quality=quality)
        self.wish = Wish([WEAK, STRONG], "both", "", "default", self.outputs, self.models)
        self.folder = average(self.wish).folder
        self.record = store.read(self.folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, world: World) -> Made:
    return Made(tmp_path_factory.mktemp("ensemble"), world)


def test_predictions_are_the_weighted_mean_of_the_members(made: Made, world: World) -> None:
    weak, strong = made.record.ensemble
    assert weak.weight + strong.weight == pytest.approx(1)
    assert strong.weight > weak.weight
    parts = []
    for member, quality in ((weak, "weak"), (strong, "strong")):
        on_val, on_test = world.probabilities[quality, "val"], world.probabilities[quality, "test"]
        assert member.temperature == pytest.approx(fit_temperature(on_val, np.array(world.labels["val"])))
        parts.append(member.weight * apply_temperature(on_test, member.temperature))
    expected = {evidence.example_id(text, evidence.key(made.models)): row for text, row in
                zip(world.texts["test"], sum(parts), strict=True)}  # fmt: skip
    test = evidence.read(made.folder / "evaluation" / "test.npz")
    assert all(np.allclose(expected[row.tobytes()], shares, atol=1e-6)
               for row, shares in zip(test.ids, test.probabilities, strict=True))  # fmt: skip


def test_ensemble_is_a_run_of_its_own(made: Made) -> None:
    record = made.record
    assert (record.status, record.category, record.name) == (Status.COMPLETED, Category.BASELINE, "both")
    assert [member.run for member in record.ensemble] == [WEAK, STRONG]
    assert record.metrics.val is not None
    assert record.metrics.test is not None
    assert record.promotion.candidate is not None
    assert {gate.name: gate.verdict for gate in record.promotion.gates}["members"] == gates.PASSED
    with pytest.raises(
        Refused, match=f"Reproduce its members, and average them: python -m mhc.ensemble {WEAK} {STRONG}"
    ):
        recipe(record, made.folder, None)
    with pytest.raises(Refused, match="is an ensemble, which is not trained"):
        must_be_resumable(msgspec.structs.replace(record, status=Status.FAILED), made.folder)


def test_bundle_needs_no_run_and_gives_the_same_probabilities(made: Made, world: World, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    shutil.copytree(made.outputs, outputs)
    for member in (WEAK, STRONG):
        shutil.rmtree(outputs / member)
    request = Request(run=outputs / made.folder.name, by="ana", reason="best", name="both", force=True)
    promotion = promote(request, outputs=outputs, models=made.models, policy=load().promotion)
    assert promotion.proof is not None
    assert promotion.proof.by == "its load.py alone"
    assert promotion.proof.examples > 0
    shutil.rmtree(outputs)
    loaded = loading.from_bundle(made.models / "production" / "both")
    served = apply_temperature(loaded.probabilities(world.texts["test"][:5]), loaded.temperature)
    command = [sys.executable, str(made.models / "production" / "both" / "load.py"), *world.texts["test"][:5]]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.splitlines()
    alone = [list(msgspec.json.decode(line)["probabilities"].values()) for line in lines]
    assert np.abs(served - np.array(alone)).max() < 1e-5
    assert loading.from_bundle(made.models / "production" / "both"), "the script has written nothing into the bundle"


def test_members_without_evidence_are_scored_again(made: Made, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    for member in (WEAK, STRONG):
        shutil.copytree(made.outputs / member, outputs / member)
        shutil.rmtree(outputs / member / "evaluation")
    run = average(made.wish._replace(outputs=outputs))
    again, before = (evidence.read(folder / "evaluation" / "test.npz") for folder in (run.folder, made.folder))
    assert (again.ids == before.ids).all()
    assert np.abs(again.probabilities - before.probabilities).max() < 2e-2


def test_member_of_unknown_code_or_a_debug_run_fails_the_gate(made: Made) -> None:
    policy = load().promotion
    inputs = measure(made.folder, made.record, outputs=made.outputs, models=made.models, policy=policy)
    weak, strong = made.record.ensemble
    debug = msgspec.structs.replace(weak, category=Category.DEBUG)
    unknown = msgspec.structs.replace(strong, git_commit=None)
    record = msgspec.structs.replace(made.record, ensemble=[debug, unknown])
    judged = gates.judge(msgspec.structs.replace(inputs, record=record), policy)
    [gate] = [gate for gate in judged if gate.name == "members"]
    assert (gate.verdict, gate.reason) == (
        gates.FAILED, f"{WEAK} is a debug run; {STRONG} has no recorded git commit"
    )  # fmt: skip


def changed(record: RunRecord, **changes: object) -> RunRecord:
    return msgspec.structs.replace(record, data=msgspec.structs.replace(record.data or data_facts(), **changes))


ONE, TWO = a_record("one_20261120_120000_0001"), a_record("two_20261120_120000_0002")
OTHER_ROWS = {**data_facts().splits, "test": SplitFacts(rows=10, fingerprint="e" * 64)}


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (changed(TWO, labels=["a", "b"]), r"has the labels anxiety, depression, normal, suicidal, and two_.* has a, b"),
        (changed(TWO, splits=OTHER_ROWS), r"other rows of test \(fingerprints test0test0test0t and eeeeeeeeeeeeeeee\)"),
        (changed(TWO, masked=True), r"cleaned otherwise \(mask, repair: \(False, False\) and \(True, False\)\)"),
        (a_record("two_20261120_120000_0002", status="failed"), "is failed. Choose completed runs"),
        (changed(TWO, splits={"train": OTHER_ROWS["train"]}), "has no val, on which the weights are fitted"),
    ],
    ids=["labels", "rows", "cleaning", "failed", "no val"],
)
def test_runs_that_cannot_be_averaged_are_refused(other: RunRecord, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        refuse_unlike([ONE, other])


def test_ensemble_as_member_and_run_named_twice_are_refused(made: Made) -> None:
    with pytest.raises(Refused, match=f"is an ensemble itself. Name its members: {WEAK} {STRONG}"):
        average(made.wish._replace(runs=[made.folder.name, WEAK]))
    with pytest.raises(BadInput, match=f"The run {WEAK} is named twice"):
        average(made.wish._replace(runs=[WEAK, WEAK]))


def test_changed_member_is_refused(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / made.folder.name
    shutil.copytree(made.folder, folder)
    [weights, *_] = sorted(folder.rglob("members/*/model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    assert encode(store.read(folder))
    with pytest.raises(Unreadable, match=r"model\.safetensors was changed"):
        loading.from_run(folder)


def test_ensemble_of_one_run_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mhc.ensemble", "one", "name=x"])
    with pytest.raises(SystemExit) as exit_:
        ensemble.main()
    assert exit_.value.code == 2
    assert "An ensemble needs two runs, not 1: python -m mhc.ensemble RUN RUN" in capsys.readouterr().err
