"""`mhc errors`: mistakes by id and by row of the user's file; texts on the user's own terminal only."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mhc.data.cleaning import normalise
from mhc.policy import CONF
from mhc.runs import evidence
from mhc.training.config import register_config
from tests.cli.conftest import Answer, Screen
from tests.support.builders import LABELS, a_run
from tests.support.measured import a_measured_run

ID = "solo_20261120_120000_0001"
ROWS = 40
MISSED = 3
"""The label of which no row is predicted."""


def text(split: str, row: int) -> str:
    return f"{split}  canary{row} {'word ' * (row + 1)}"


def a_run_with_files(home: Path) -> Path:
    """Write files of texts, and a run that was scored on them."""
    for split in ("train", "test"):
        with (home / f"{split}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            table.writerows([text(split, row), LABELS[row % 4]] for row in range(ROWS))
    folder = a_run(home / "outputs", ID)
    register_config()
    places = [f"data.train={home}/train.csv", f"data.test={home}/test.csv", f"paths.cache={home}/cache"]
    words = ["data=files", "model=micro", "data.cleaning.mask=false", "data.cleaning.repair=false", *places]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        (folder / ".hydra" / "config.yaml").write_text(OmegaConf.to_yaml(compose("train", overrides=words)))
    key = evidence.key(home / "models")
    ids = b"".join(evidence.example_id(normalise(text("test", row)), key) for row in range(ROWS))
    labels = np.arange(ROWS) % 4
    shares = np.full((ROWS, 4), 0.1, np.float32)
    shares[np.arange(ROWS), np.where(labels == MISSED, 0, labels)] = 0.7
    ids_of_rows = np.frombuffer(ids, np.uint8).reshape(ROWS, -1)
    evidence.write(folder / "evaluation" / "test.npz", ids_of_rows, labels, shares, LABELS)
    return folder


def test_mistakes_are_listed_by_id(mhc: Callable[..., Answer], outputs: Path) -> None:
    a_measured_run(outputs, ID)
    answer = mhc("errors", "solo", "--limit", "3")
    assert answer.code == 0
    assert "Most confident mistakes on test" in answer.out
    lines = [line.split("\t") for line in answer.out.splitlines() if line.count("\t") == 5]
    probabilities = [float(line[3]) for line in lines[1:]]
    assert len(probabilities) == 3
    assert probabilities == sorted(probabilities, reverse=True)
    assert "By class" in answer.out


def test_rows_of_the_file_are_found_without_a_text(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    a_run_with_files(tmp_path)
    answer = mhc("errors", "solo", "--rows", "--limit", "0", "--json")
    assert answer.code == 0, answer.err
    values = json.loads(answer.out)
    rows = {mistake["row"] for mistake in values["mistakes"]}
    assert rows == {f"test.csv row {row + 1}" for row in range(ROWS) if row % 4 == MISSED}
    printed = mhc("errors", "solo", "--rows")
    assert "By length" in printed.out
    assert "canary" not in answer.out + answer.err + printed.out + printed.err


@pytest.mark.slow
def test_texts_are_shown_on_a_terminal_only(
    mhc: Callable[..., Answer], terminal: Callable[..., Screen], outputs: Path, tmp_path: Path
) -> None:
    a_run_with_files(tmp_path)
    for words in (["--texts"], ["--texts", "--json"]):
        answer = mhc("errors", "solo", *words)
        assert answer.code == 1
        assert "on a terminal only" in answer.err
        assert "canary" not in answer.out
    screen = terminal("errors", "solo", "--texts", columns=120)
    assert screen.code == 0, screen.text
    assert "canary3 word word" in screen.text


def test_changed_data_is_named(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    a_run_with_files(tmp_path)
    changed = (tmp_path / "test.csv").read_text().replace("canary7 ", "other7 ")
    (tmp_path / "test.csv").write_text(changed)
    answer = mhc("errors", "solo", "--rows")
    assert answer.code == 1
    assert "The data has 39 of the 40 examples of test" in answer.err
    assert mhc("errors", "solo").code == 0


def test_run_without_evidence_is_told_how_to_get_it(mhc: Callable[..., Answer], outputs: Path) -> None:
    a_run(outputs)
    answer = mhc("errors", "attention")
    assert answer.code == 1
    assert "python -m mhc.evaluate" in answer.err


@pytest.mark.parametrize("split", ["val", "test"])
def test_run_without_a_mistake_says_so(mhc: Callable[..., Answer], outputs: Path, split: str) -> None:
    a_measured_run(outputs, ID, quality=60.0)
    answer = mhc("errors", "solo", "--split", split)
    assert answer.code == 0
    assert f"No mistake in 120 rows of {split}" in answer.out + answer.err
