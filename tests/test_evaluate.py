"""A run and a bundle are scored on any split; the evidence is the training's own where the data is."""

import json
import sys

import numpy as np
import pytest

from mhc import evaluate
from mhc.errors import BadInput
from mhc.evaluate import in_order_of
from mhc.production import loading
from mhc.runs import evidence
from mhc.training import exit_codes
from tests.support.builders import LABELS
from tests.support.trained import WORDS, a_bundle, a_table, a_trained_run, config_of, some_texts

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


def labelled(path, seed, rows=80, labels=LABELS):
    texts = [f"{text} {WORDS[seed]}" for text in some_texts(rows, seed=seed)]
    return a_table(path, texts, label=[labels[row % len(labels)] for row in range(rows)])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Data on the disk, and a run that was trained on it."""
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
def typed(home, monkeypatch, capsys):
    def type_in(*words):
        monkeypatch.setattr(sys, "argv", ["mhc.evaluate", *map(str, words)])
        code = exit_codes.code_of(evaluate.main)
        return code, *capsys.readouterr()

    return type_in


def test_a_run_is_scored_on_its_own_data_and_keeps_the_evidence(typed, home):
    code, out, err = typed("run=tiny", "split=test", "precision=fp32")
    run = next((home / "outputs").iterdir())
    found = evidence.read(run / "evaluation" / "test.npz")
    assert code == 0, err
    assert found.label_names == list(LABELS)
    assert len(found) == 80
    right = (found.probabilities.argmax(axis=1) == found.labels).mean()
    assert out.split()[out.split().index("loss") + 1] == f"{right:.3f}"
    assert all(label in out for label in LABELS)
    texts = [f"{text} {WORDS[2]}" for text in some_texts(80, seed=2)]
    wanted = evaluate.evaluate(loading.from_run(run), texts, precision="fp32")
    ids = [evidence.example_id(text, evidence.key(home / "models")) for text in texts]
    rows = {row.tobytes(): number for number, row in enumerate(found.ids)}
    assert abs(found.probabilities[[rows[each] for each in ids]] - wanted).max() < 1e-5


def test_an_older_bundle_and_a_run_are_paired_on_todays_test_set(typed, home):
    run = next((home / "outputs").iterdir())
    folder = a_bundle(home / "old", run, temperature=2.0)
    data = ["data=files", "data.train=train.csv", "data.test=test.csv", "precision=fp32"]
    assert typed(f"bundle={folder}", *data, "output=old.npz")[0] == 0
    assert typed("run=tiny", *data, "output=new.npz")[0] == 0
    old, new = evidence.read(home / "old.npz"), evidence.read(home / "new.npz")
    assert evidence.fingerprint(old) == evidence.fingerprint(new)
    paired = evidence.pair(old, new)
    assert (len(paired.labels), paired.only_first, paired.only_second) == (80, 0, 0)
    assert abs(paired.first - paired.second).max() < 1e-5


def test_other_data_leaves_the_evidence_of_the_run_alone(typed, home):
    labelled(home / "new.csv", 3, rows=40)
    code, _, err = typed("run=tiny", "data.test=new.csv")
    assert (code, err) == (0, "No evidence was kept; say output=FILE.npz\n")
    assert not (next((home / "outputs").iterdir()) / "evaluation").exists()


def test_a_split_that_is_cut_from_train_is_the_one_of_the_training(typed, home):
    assert typed("run=tiny", "split=val")[0] == 0
    run = next((home / "outputs").iterdir())
    assert 5 <= len(evidence.read(run / "evaluation" / "val.npz")) <= 30


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["run=tiny", "split=dev"], 2, "split=dev is none of train, val, test"),
        (["bundle=champion"], 2, "Say the data for a bundle"),
        ([], 2, "Say run= or bundle="),
        (["run=tiny", "data.tset=x.csv"], 1, "There is no key 'data.tset'"),
        (["run=tiny", "data=filse"], 2, "data has no option 'filse'"),
        (["run=tiny", "data.test=gone.csv"], 1, "There is no file gone.csv"),
        (["run=tiny", "data.test=other.csv"], 1, "label"),
        (["run=tiny", "output=no/such/folder.npz"], 1, "folder.npz"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence(typed, home, words, code, sentence):
    labelled(home / "other.csv", 4, labels=["joy", "anger"])
    found, out, err = typed(*words)
    assert found == code, err
    assert sentence in err
    assert out == ""
    assert err.count("\n") == 1


def test_labels_are_brought_into_the_order_of_the_model():
    found = in_order_of(["a", "b", "c"], ["c", "a"], np.array([0, 1, 1, 0]))
    assert found.tolist() == [2, 0, 0, 2]
    with pytest.raises(BadInput, match="has the label 'x', but the model knows a, b"):
        in_order_of(["a", "b"], ["x", "a"], np.array([0]))
