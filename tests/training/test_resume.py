"""A run is resumed on the data it began with, wherever that is now; an empty id resumes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mhc.errors import BadConfig
from mhc.facts import DataFacts
from mhc.training import resume
from mhc.training.resume_check import data_differences
from tests.support.builders import data_facts
from tests.support.programs import ROOT, run

RECORDED = ROOT / "tests" / "recorded" / "project"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(RECORDED, tmp_path / "project")


def train(project: Path, *words: str) -> tuple[int, str]:
    """Return the exit code of `python -m mhc.train` in the project, and what it wrote to stderr."""
    done = run("mhc.train", *words, cwd=project, environment={"MHC_CACHE": str(project / ".cache")})
    return done.returncode, done.stderr


def interrupted(project: Path, kind: str) -> Path:
    """Return the folder of a run that did not complete, with its data on record."""
    [folder] = project.glob("outputs/interrupted_*" if kind == "encoder" else "outputs/bag_*")
    record = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    return folder


@pytest.mark.parametrize("kind", ["encoder", "linear"])
def test_resume_on_changed_data_changes_nothing(project: Path, kind: str) -> None:
    folder = interrupted(project, kind)
    before = (folder / "run.json").read_bytes()
    with (project / "train.csv").open("a") as file:
        file.write("a word that is new,circle\n")
    code, error = train(project, f"resume={folder.name}")
    assert code == 1
    assert f"{folder.name} cannot be resumed: train had " in error
    assert "Traceback" not in error
    assert (folder / "run.json").read_bytes() == before


@pytest.mark.slow
def test_moved_data_is_found_by_its_new_place(project: Path) -> None:
    folder = interrupted(project, "encoder")
    place = project / "elsewhere" / "train.csv"
    place.parent.mkdir()
    (project / "train.csv").rename(place)
    code, error = train(project, f"resume={folder.name}")
    assert code == 1
    assert "train.csv" in error
    code, error = train(project, f"resume={folder.name}", f"data.train={place}")
    assert code == 0, error
    assert json.loads((folder / "run.json").read_bytes())["status"] == "completed"
    assert OmegaConf.load(folder / ".hydra" / "config.yaml").data.train == str(place)


@pytest.mark.parametrize("key", ["resume", "resume_sweep"])
@pytest.mark.parametrize("value", ["", "null"])
def test_empty_id_resumes_nothing(key: str, value: str) -> None:
    with pytest.raises(BadConfig, match=f"^{key}={value} names no run: the value is empty"):
        resume.requested_action([f"{key}={value}", "model=micro"])


def test_value_beside_resume_is_one_sentence(project: Path) -> None:
    code, error = train(project, "resume=interrupted", "seed=1")
    assert (code, error) == (1, "resume= uses the recorded config and cannot be combined with 'seed=1'\n")


def test_key_that_the_data_lacks_is_refused(project: Path) -> None:
    code, error = train(project, "resume=interrupted", "data.path=folder")
    assert code == 1
    assert "has no key 'data.path'" in error


def changed(facts: DataFacts, **splits: str) -> DataFacts:
    import msgspec

    renamed = {name: msgspec.structs.replace(facts.splits[name], fingerprint=mark) for name, mark in splits.items()}
    return msgspec.structs.replace(facts, splits=facts.splits | renamed)


def test_every_difference_of_the_data_is_named() -> None:
    recorded = data_facts()
    assert list(data_differences(recorded, recorded)) == []
    [difference] = data_differences(recorded, changed(recorded, test="f" * 64))
    assert difference.startswith("test had ")
    assert "ffffffffffff" in difference


def test_run_that_was_never_registered_leaves_no_folder(tmp_path: Path) -> None:
    code, error = train(tmp_path, "data=files")
    assert code == 2
    assert "data.train has no value" in error
    assert not list((tmp_path / "outputs").glob("*"))
