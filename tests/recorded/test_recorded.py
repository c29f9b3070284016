"""Folders of an earlier version: the code of today reads, resumes, predicts, evaluates and promotes them."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from starlette.testclient import TestClient

from mhc.production import bundle, decision
from mhc.production.decision import PromotionRecord
from mhc.retention.bundle_redaction import private_files
from mhc.serve.app import application
from mhc.serve.settings import Settings
from tests.support import programs

HERE = Path(__file__).resolve().parent
RECORDED = HERE / "project"
EXPECTED = json.loads((HERE / "expected.json").read_bytes())
LABELS = ("circle", "square", "triangle")
CPU = ("precision=fp32", "device=cpu")
SAME = 1e-4
"""By which a probability may differ: processors add in different orders."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(RECORDED, tmp_path / "project")


def python(project: Path, cache: Path, *words: str, code: int = 0) -> str:
    """Return what `python -m` with these words prints in the project; its exit code has to be `code`."""
    done = programs.run(*words, cwd=project, environment={"MHC_CACHE": str(cache), "COLUMNS": "120"})
    assert done.returncode == code, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def mhc(project: Path, *words: str) -> str:
    return python(project, project / ".cache", "mhc.cli.main", *words)


def listed(project: Path, *words: str) -> list[dict[str, Any]]:
    """Return the runs as `mhc list --json` shows them, oldest first."""
    return sorted(json.loads(mhc(project, "list", "--json", *words)), key=lambda run: run["created_at"])


def folder_of(project: Path, name: str) -> Path:
    [folder] = (project / "outputs").glob(f"{name}_*")
    return folder


def record_of(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "run.json").read_bytes())
    return record


def ledger_of(project: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project / "models" / "ledger.jsonl").read_bytes().splitlines()]


def champion_of(project: Path) -> str:
    [champion] = json.loads(mhc(project, "champion", "--json"))
    name: str = champion["name"]
    return name


def test_every_recorded_run_is_listed_as_it_ended(project: Path) -> None:
    runs = listed(project)
    assert [(run["name"], run["seed"], run["status"]) for run in runs] == [
        ("bag", 1, "completed"),
        ("encoder", 1, "completed"),
        ("interrupted", 2, "interrupted"),
        ("seeds", 1, "completed"),
        ("seeds", 2, "failed"),
    ]
    for run in runs:
        folder = project / "outputs" / run.pop("path")
        assert run.pop("location") == "active"
        assert run.pop("config")["seed"] == run["seed"]
        assert run == record_of(folder)


@pytest.mark.parametrize("name", ["bag", "encoder", "interrupted"])
def test_details_of_a_recorded_run_are_shown(name: str, project: Path) -> None:
    assert folder_of(project, name).name in mhc(project, "details", name)


def test_nothing_recorded_is_broken(project: Path) -> None:
    assert mhc(project, "doctor") == "Nothing is broken.\n"


def test_recorded_bundles_and_ledger_are_whole(project: Path) -> None:
    mhc(project, "verify")


@pytest.mark.parametrize("name", ["bag_v1", "encoder_v1"])
def test_decision_of_a_recorded_bundle_is_read(name: str) -> None:
    recorded = (RECORDED / "models" / "production" / name / bundle.PROMOTION).read_bytes()
    promotion = msgspec.json.decode(recorded, type=PromotionRecord)
    assert json.loads(decision.encode(promotion))["policy"] == json.loads(recorded)["policy"]
    assert promotion.scores is not None


def test_credentials_in_a_recorded_decision_are_found(project: Path) -> None:
    folder = project / "models" / "production" / "bag_v1"
    assert bundle.PROMOTION not in private_files(folder)
    path = folder / bundle.PROMOTION
    path.write_text(path.read_text().replace("it passes every gate", "https://ada:planted@host/x", 1))
    assert bundle.PROMOTION in private_files(folder)


def test_recorded_bundles_answer_programs_and_forms(project: Path) -> None:
    settings = Settings(outputs=project / "outputs", models=project / "models", precision="fp32", device="cpu")
    with TestClient(application(settings), base_url="http://127.0.0.1:8000") as client:
        for name in ("champion", "encoder_v1"):
            answer = client.post("/predict", json={"texts": ["circle square"], "bundle": name})
            assert (answer.status_code, answer.json().get("labels")) == (200, list(LABELS)), answer.text
        form = {"form_key": settings.form_key, "text": "circle square", "bundle": "champion"}
        assert "recall on test" in client.post("/try", data=form).text


def test_changed_byte_of_a_recorded_bundle_is_found(project: Path) -> None:
    with (project / "models" / "production" / "bag_v1" / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    python(project, project / ".cache", "mhc.cli.main", "verify", code=1)


def test_recorded_history_is_told(project: Path) -> None:
    entries = json.loads(mhc(project, "history", "--json"))
    assert [(entry["what"], entry.get("bundle") or "", entry["by"]) for entry in entries] == [
        ("promoted", "bag_v1", "ada"),
        ("refused", "", "ada"),
        ("promoted", "encoder_v1", "ada"),
        ("rolled back", "bag_v1", "ada"),
    ]
    assert champion_of(project) == "bag_v1"


def test_command_of_a_recorded_run_is_printed(project: Path) -> None:
    lineage = record_of(folder_of(project, "encoder"))["lineage"]
    printed = mhc(project, "reproduce", "encoder")
    assert lineage["git_commit"] in printed
    words = [word for word in lineage["overrides"] if not word.startswith("auto_archive")]
    assert f"python -m mhc.train {' '.join(words)}" in printed


@pytest.mark.parametrize(
    ("target", "key"),
    [("run=encoder", "run encoder"), ("bundle=encoder_v1", "bundle encoder"), ("bundle=champion", "bundle bag")],
)
def test_probabilities_are_those_recorded(target: str, key: str, project: Path, cache: Path) -> None:
    python(project, cache, "mhc.predict", target, "input=texts.csv", "output=labels.csv", *CPU)
    with (project / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == EXPECTED[key]["labels"]
    probabilities = [[float(row[f"probability_{label}"]) for label in LABELS] for row in rows]
    np.testing.assert_allclose(probabilities, EXPECTED[key]["probabilities"], atol=SAME)


def test_run_scores_as_it_did(project: Path, cache: Path) -> None:
    folder = folder_of(project, "bag")
    printed = python(project, cache, "mhc.evaluate", "run=bag", "split=test", "output=again.npz", *CPU)
    scores = record_of(folder)["metrics"]["test"]
    shown = [f"{scores[name]:.3f}" for name in ("accuracy", "f1_macro", "ece", "loss")]
    assert printed.splitlines()[1].split() == ["test", *shown]
    was, again = np.load(folder / "evaluation" / "test.npz"), np.load(project / "again.npz")
    assert (again["ids"] == was["ids"]).all()
    assert (again["labels"] == was["labels"]).all()
    np.testing.assert_allclose(again["probabilities"], was["probabilities"], atol=SAME)


@pytest.mark.slow
def test_interrupted_run_completes_under_its_own_id(project: Path, cache: Path) -> None:
    folder = folder_of(project, "interrupted")
    config = (folder / ".hydra" / "config.yaml").read_bytes()
    python(project, cache, "mhc.train", f"resume={folder.name}")
    record = record_of(folder)
    assert (record["id"], record["status"], record["timing"]["epochs"]) == (folder.name, "completed", 20)
    resumed = [event["why"] for event in record["history"] if event["what"] == "resumed"]
    assert resumed == ["from checkpoints/last.ckpt; it was interrupted"]
    assert record["metrics"]["test"]["f1_macro"] > 0.3  # one label for all texts has 0.17
    assert (folder / ".hydra" / "config.yaml").read_bytes() == config
    assert len(list((project / "outputs").glob("*/run.json"))) == 3  # no folder was added


@pytest.mark.slow
def test_sweep_runs_what_it_did_not_complete(project: Path, cache: Path) -> None:
    sweep = folder_of(project, "seeds")
    first, failed = (run["id"] for run in listed(project, "--where", f"sweep = {sweep.name}"))
    before = (sweep / first / "run.json").read_bytes()
    python(project, cache, "mhc.train", f"resume_sweep={sweep.name}")
    runs = sorted((record_of(path.parent) for path in sweep.glob("*/run.json")), key=lambda run: run["sweep"]["job"])
    assert [(run["sweep"]["job"], run["seed"], run["status"]) for run in runs] == [
        (0, 1, "completed"),
        (1, 2, "completed"),
        (2, 3, "completed"),
    ]
    assert [run["id"] for run in runs][:2] == [first, failed]
    assert (sweep / first / "run.json").read_bytes() == before


@pytest.mark.slow
def test_recorded_run_is_promoted_into_its_ledger(project: Path, cache: Path) -> None:
    signed = ("--by", "grace", "--reason", "it still works")
    before = (project / "models" / "ledger.jsonl").read_bytes()
    python(project, cache, "mhc.cli.main", "promote", "encoder", *signed, "--force")
    assert champion_of(project) == "encoder_v2"
    assert (project / "models" / "ledger.jsonl").read_bytes().startswith(before)
    old, new = ledger_of(project)[-2:]
    assert (new["what"], new["bundle"], new["prev"]) == ("promoted", "encoder_v2", old["hash"])
    mhc(project, "rollback", *signed)
    assert champion_of(project) == "bag_v1"
    mhc(project, "verify")
