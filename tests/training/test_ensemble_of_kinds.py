"""`python -m mhc.ensemble` of a linear model, a frozen encoder and a fine-tuned one: from the runs to the bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mhc import ensemble
from mhc.inference.predictor import Predictor
from mhc.model.calibration import apply_temperature
from mhc.policy import load
from mhc.production import bundle, gates, loading
from mhc.production.build_bundle import texts_of_run
from mhc.production.decision import Request
from mhc.production.promote import promote
from mhc.record import EnsembleMember, RunRecord, Status
from mhc.runs import evidence, folders, store
from mhc.runs.evidence import Evidence
from mhc.training import exit_codes
from mhc.training.ensemble import write_models
from mhc.training.ensemble_members import members_of
from tests.support.embeddings import train, write_project, write_table

KINDS = ("linear", "embedding", "pretrained")
SHARES = (0.2, 0.3, 0.5)
ALONE = """
import json, sys
for module in ("mhc", "scipy", "sklearn", "pytorch_lightning"):
    sys.modules[module] = None
sys.path.insert(0, sys.argv[1])
from load import Model
print(json.dumps(Model(sys.argv[1]).probabilities(json.load(sys.stdin)).tolist()))
"""


def steps(kind: str) -> list[str]:
    return ["model.epochs=2", "model.optimizer.lr=1e-2"] if kind == "pretrained" else []


class Made:
    """One run of each kind on the same data, and their ensemble, made by the command."""

    def __init__(self, project: Path) -> None:
        self.project = project
        write_table(project / "train.csv", 240, wrong=0.25)
        self.members = {kind: train(project, *steps(kind), model=kind)[0] for kind in KINDS}
        words = [folder.name for folder in self.members.values()]
        self.code = self.command(*words, "name=both")
        [self.folder] = [
            folder for folder, _ in folders.iter_runs(project / "outputs") if folder not in self.members.values()
        ]
        self.record: RunRecord = store.read(self.folder)

    def command(self, *words: str) -> int:
        """Run `python -m mhc.ensemble` in this process, and return its exit code."""
        places = [f"paths.outputs={self.project / 'outputs'}", f"paths.models={self.project / 'models'}"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["mhc.ensemble", *words, *places])
            return exit_codes.code_of(ensemble.main)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(write_project(tmp_path_factory.mktemp("project"), "bert"))


def rows_of(folder: Path, split: str) -> Evidence:
    """Return the recorded predictions of a split, in one order for every run."""
    part = evidence.read(folder / "evaluation" / f"{split}.npz")
    order = np.lexsort((part.labels, *part.ids.T[::-1]))
    return Evidence(
        ids=part.ids[order], labels=part.labels[order], probabilities=part.probabilities[order],
        label_names=part.label_names,
    )  # fmt: skip


def weighted_mean(made: Made, split: str, members: Sequence[EnsembleMember]) -> np.ndarray:
    """Return the mean of the members' recorded probabilities, by the formula."""
    total = np.zeros(1)
    for member in members:
        own = rows_of(made.project / "outputs" / member.run, split).probabilities.astype(np.float64)
        powers = own ** (1 / member.temperature)
        total = total + member.weight * powers / powers.sum(axis=1, keepdims=True)
    return total


def alone(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """Return the probabilities of texts by the script of a bundle, in a process without mhc."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(folder)],
        input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=folder.parent,
    )  # fmt: skip
    return np.array(json.loads(done.stdout))


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def test_mean_of_three_kinds_is_a_judged_run_of_its_own(made: Made) -> None:
    assert (made.code, made.record.status, made.record.name) == (0, Status.COMPLETED, "both")
    assert [member.model for member in made.record.ensemble] == list(KINDS)
    assert sum(member.weight for member in made.record.ensemble) == pytest.approx(1)
    verdicts = {gate.name: gate.verdict for gate in made.record.promotion.gates}
    assert verdicts["members"] in (gates.PASSED, gates.FAILED)
    assert len(verdicts) > 5
    assert made.record.metrics.test is not None


@pytest.mark.parametrize("split", ["val", "test"])
def test_mean_is_that_of_the_members_probabilities(made: Made, split: str) -> None:
    own = rows_of(made.folder, split)
    for folder in made.members.values():
        assert (rows_of(folder, split).ids == own.ids).all()
    assert np.abs(own.probabilities - weighted_mean(made, split, made.record.ensemble)).max() < 1e-6


def test_weights_are_those_of_least_log_loss_on_val(made: Made) -> None:
    val = rows_of(made.folder, "val")
    least = log_loss(val.probabilities, val.labels)
    for member in made.record.ensemble:
        alone = rows_of(made.project / "outputs" / member.run, "val").probabilities.astype(np.float64)
        scaled = apply_temperature(alone, member.temperature)
        for share in (0.02, 0.1, 1.0):
            assert least <= log_loss((1 - share) * val.probabilities + share * scaled, val.labels) + 1e-6


def test_bundle_of_three_kinds_needs_neither_runs_nor_mhc(made: Made, tmp_path: Path) -> None:
    texts = texts_of_run(made.members["linear"], "test")
    request = Request(run=made.folder, by="ada", reason="x", force=True)
    models = made.project / "models"
    promotion = promote(request, outputs=made.project / "outputs", models=models, policy=load("default").promotion)
    assert promotion.proof is not None
    assert promotion.proof.by == "its load.py alone"
    assert promotion.scores is not None
    recorded = evidence.read(made.folder / "evaluation" / "test.npz")
    expected = np.sort(apply_temperature(recorded.probabilities, promotion.scores.temperature or 1.0), axis=0)
    served = Predictor.load(bundle=promotion.name, models=models, precision="fp32")(texts)[1]
    assert np.abs(np.sort(served, axis=0) - expected).max() < 1e-5
    elsewhere = shutil.copytree(models / "production" / promotion.name, tmp_path / "elsewhere")
    assert np.abs(alone(elsewhere, texts) - served).max() < 1e-5


def test_mean_of_any_shares_is_that_of_the_script(made: Made, tmp_path: Path) -> None:
    """A member of weight 0 is not computed, so that the fitted weights may leave out a kind."""
    members = members_of(made.project / "outputs", [folder.name for folder in made.members.values()])
    parts = [
        msgspec.structs.replace(part, weight=share) for part, share in zip(made.record.ensemble, SHARES, strict=True)
    ]
    folder = tmp_path / "mean"
    write_models(folder, members, parts)
    (folder / "calibration.json").write_text('{"temperature": 1.0}')
    bundle.seal(folder)
    texts = texts_of_run(made.members["linear"], "test")
    served = Predictor(loading.from_bundle(folder), precision="fp32")(texts)[1]
    expected = weighted_mean(made, "test", parts)
    assert np.abs(np.sort(served, axis=0) - np.sort(expected, axis=0)).max() < 1e-5
    assert np.abs(alone(folder, texts) - served).max() < 1e-5


def test_runs_that_do_not_fit_are_one_sentence(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    linear, embedding, _ = (folder.name for folder in made.members.values())
    other = train(made.project, "data.splitting.salt=other", model="linear")[0].name
    failed = made.project / "outputs" / "failed_20261120_120000_0001"
    shutil.copytree(made.members["linear"], failed)
    record = msgspec.structs.replace(store.read(failed), id=failed.name, status=Status.FAILED)
    (failed / "run.json").write_bytes(msgspec.json.encode(record))
    capsys.readouterr()
    runs_before = len(list(folders.iter_runs(made.project / "outputs")))
    for words, sentence in (
        ([linear, other], "have other rows of train (fingerprints"),
        ([linear, failed.name], f"Run {failed.name} is failed. Choose completed runs"),
        ([linear, linear], f"The run {linear} is named twice. Name each run once"),
        ([linear, embedding, made.folder.name], "is an ensemble itself. Name its members"),
        ([linear, "nowhere"], "No run 'nowhere'"),
    ):
        assert made.command(*words) == 1
        said = capsys.readouterr().err
        assert sentence in said
        assert said.count("\n") == 1
    assert len(list(folders.iter_runs(made.project / "outputs"))) == runs_before, "nothing is left"
