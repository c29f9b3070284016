"""`mhc.evaluate`: a run or a bundle is scored on a split, and the evidence is saved."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mhc import evaluate
from mhc.errors import BadInput
from mhc.evaluate import align_labels
from mhc.inference.predictor import Predictor
from mhc.metrics import measure
from mhc.production import loading
from mhc.runs import evidence
from mhc.training import exit_codes
from tests.support.builders import LABELS
from tests.support.trained import WORDS, a_bundle, a_table, a_trained_run, config_of, some_texts

Command = Callable[..., tuple[int, str, str]]

DATA = {
    "label_names": None,
    "near_duplicates": None,
    "cleaning": {
        "conflicting": "drop",
        "rare_labels": "refuse",
        "min_rows_per_label": 2,
        "unknown_labels": "refuse",
    },
    "splitting": {"val": 0.2, "test": 0.2, "salt": "mhc", "train_fraction": 1.0, "max_train_rows": None},
}


def labelled(path: Path, seed: int, rows: int = 80, labels: Sequence[str] = LABELS) -> Path:
    texts = [f"{text} {WORDS[seed]}" for text in some_texts(rows, seed=seed)]
    return a_table(path, texts, label=[labels[row % len(labels)] for row in range(rows)])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with data, and a run that was trained on it."""
    monkeypatch.chdir(tmp_path)
    for name in ("MHC_OUTPUTS", "MHC_MODELS", "MHC_CACHE", "MHC_EVIDENCE_KEY"):
        monkeypatch.delenv(name, raising=False)
    run = a_trained_run(tmp_path / "outputs")
    train, test = labelled(tmp_path / "train.csv", 1), labelled(tmp_path / "test.csv", 2)
    source = {"_target_": "mhc.data.sources.Files", "train": "${data.train}", "test": "${data.test}"}
    data = DATA | {"train": str(train), "test": str(test), "source": source}
    (run / ".hydra" / "config.yaml").write_text(json.dumps(config_of("encoder") | {"data": data}))
    return tmp_path


@pytest.fixture
def command(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mhc.evaluate", *map(str, words)])
        code = exit_codes.code_of(evaluate.main)
        return code, *capsys.readouterr()

    return call


def test_run_is_scored_on_its_own_data_with_evidence(command: Command, home: Path) -> None:
    code, out, err = command("run=tiny", "split=test", "precision=fp32")
    run = next((home / "outputs").iterdir())
    saved = evidence.read(run / "evaluation" / "test.npz")
    assert code == 0, err
    assert saved.label_names == list(LABELS)
    assert len(saved) == 80
    accuracy = (saved.probabilities.argmax(axis=1) == saved.labels).mean()
    header = out.split().index("loss")
    assert out.split()[header + 1 : header + 3] == ["test", f"{accuracy:.3f}"]
    assert all(label in out for label in LABELS)
    texts = [f"{text} {WORDS[2]}" for text in some_texts(80, seed=2)]
    expected = evaluate.evaluate(loading.from_run(run), texts, precision="fp32")
    ids = [evidence.example_id(text, evidence.key(home / "models")) for text in texts]
    rows = {row.tobytes(): number for number, row in enumerate(saved.ids)}
    assert abs(saved.probabilities[[rows[each] for each in ids]] - expected).max() < 1e-5


def test_evidence_of_a_bundle_and_a_run_can_be_paired(command: Command, home: Path) -> None:
    run = next((home / "outputs").iterdir())
    folder = a_bundle(home / "old", run, temperature=2.0)
    data = ["data=files", "data.train=train.csv", "data.test=test.csv", "precision=fp32"]
    assert command(f"bundle={folder}", *data, "output=old.npz")[0] == 0
    assert command("run=tiny", *data, "output=new.npz")[0] == 0
    old, new = evidence.read(home / "old.npz"), evidence.read(home / "new.npz")
    assert evidence.fingerprint(old) == evidence.fingerprint(new)
    paired = evidence.pair(old, new)
    assert (len(paired.labels), paired.only_first, paired.only_second) == (80, 0, 0)
    assert abs(paired.first - paired.second).max() < 1e-5


def test_scores_of_a_bundle_are_those_of_what_it_serves(command: Command, home: Path) -> None:
    run = next((home / "outputs").iterdir())
    folder = a_bundle(home / "old", run, temperature=5.0)
    data = ["data=files", "data.train=train.csv", "data.test=test.csv", "precision=fp32"]
    code, out, err = command(f"bundle={folder}", *data)
    assert code == 0, err
    texts = [f"{text} {WORDS[2]}" for text in some_texts(80, seed=2)]
    labels = np.array([row % len(LABELS) for row in range(80)])
    predictor = Predictor(loading.from_bundle(folder), precision="fp32")
    served, raw = measure(labels, predictor(texts)[1], LABELS), measure(labels, predictor.raw(texts), LABELS)
    assert served.ece != pytest.approx(raw.ece, abs=0.01)
    lines = [line.split() for line in out.splitlines()]
    for title, metrics in (("test, as served", served), ("test, temperature 1", raw)):
        [line] = [line for line in lines if line[: len(title.split())] == title.split()]
        numbers = [metrics.accuracy, metrics.f1_macro, metrics.ece, metrics.loss]
        assert [float(word) for word in line[-4:]] == pytest.approx(numbers, abs=2e-3)


def test_other_data_does_not_change_the_evidence_of_the_run(command: Command, home: Path) -> None:
    labelled(home / "new.csv", 3, rows=40)
    code, _, err = command("run=tiny", "data.test=new.csv")
    assert (code, err) == (0, "The evidence was not saved. Save it with output=FILE.npz\n")
    assert not (next((home / "outputs").iterdir()) / "evaluation").exists()


def test_validation_split_of_the_training_is_reproduced(command: Command, home: Path) -> None:
    assert command("run=tiny", "split=val")[0] == 0
    run = next((home / "outputs").iterdir())
    assert 5 <= len(evidence.read(run / "evaluation" / "val.npz")) <= 30


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["run=tiny", "split=dev"], 2, "split=dev is not one of train, val, test"),
        (["bundle=champion"], 2, "Give the data for a bundle"),
        ([], 2, "Give run= or bundle="),
        (["run=tiny", "data.tset=x.csv"], 1, "There is no key 'data.tset'"),
        (["run=tiny", "data=filse"], 2, "data has no option 'filse'"),
        (["run=tiny", "data.test=gone.csv"], 1, "There is no file gone.csv"),
        (["run=tiny", "data.test=other.csv"], 1, "label"),
        (["run=tiny", "output=no/such/folder.npz"], 1, "folder.npz"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_impossible_request_is_one_sentence(
    command: Command, home: Path, words: list[str], code: int, sentence: str
) -> None:
    labelled(home / "other.csv", 4, labels=["joy", "anger"])
    exit_code, out, err = command(*words)
    assert exit_code == code, err
    assert sentence in err
    assert out == ""
    assert err.count("\n") == 1


def test_labels_are_aligned_with_those_of_the_model() -> None:
    labels = align_labels(["a", "b", "c"], ["c", "a"], np.array([0, 1, 1, 0]))
    assert labels.tolist() == [2, 0, 0, 2]
    with pytest.raises(BadInput, match="has the label 'x', but the model has only a, b"):
        align_labels(["a", "b"], ["x", "a"], np.array([0]))
