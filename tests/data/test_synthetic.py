"""The embedded data set."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from mhc.data import fingerprint, synthetic_phrases
from mhc.data.cleaning import Rows
from mhc.data.synthetic import LABELS, SLOT, Synthetic
from mhc.errors import BadConfig

AS_SHIPPED = Synthetic(rows=4000, label_noise=0.06, edition=1)


@pytest.fixture(scope="module")
def splits() -> dict[str, Rows]:
    return AS_SHIPPED.read(Path()).splits


def test_texts_are_the_same_in_every_process(splits: dict[str, Rows]) -> None:
    program = (
        "from pathlib import Path; from mhc.data import fingerprint; from mhc.data.synthetic import Synthetic;"
        "print(fingerprint.of_rows(Synthetic(rows=4000, label_noise=0.06, edition=1).read(Path()).splits['test']))"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert output.strip() == fingerprint.of_rows(splits["test"])


def test_another_edition_has_other_texts(splits: dict[str, Rows]) -> None:
    other = replace(AS_SHIPPED, edition=2)
    assert not set(other.read(Path()).splits["train"].texts) & set(splits["train"].texts)
    assert other.key() != AS_SHIPPED.key()


def test_each_label_is_about_equally_frequent(splits: dict[str, Rows]) -> None:
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 2800, "val": 600, "test": 600}
    for rows in splits.values():
        counts = Counter(rows.labels)
        assert set(counts) == set(LABELS)
        assert min(counts.values()) > 0.8 * max(counts.values())


def test_lengths_are_those_of_posts(splits: dict[str, Rows]) -> None:
    words = np.array([len(text.split()) for text in splits["train"].texts])
    assert 55 <= np.median(words) <= 75
    assert 0.4 <= np.log(words).std() <= 0.8
    assert words.max() > 250


def test_no_text_is_in_two_splits_or_twice(splits: dict[str, Rows]) -> None:
    texts = [text for rows in splits.values() for text in rows.texts]
    assert len(set(texts)) == len(texts)


def test_test_has_phrases_that_train_never_has(splits: dict[str, Rows]) -> None:
    def runs(rows: Rows) -> set[tuple[str, ...]]:
        words = [text.lower().replace(".", "").split() for text in rows.texts]
        return {tuple(post[start : start + 5]) for post in words for start in range(len(post) - 4)}

    train, test = runs(splits["train"]), runs(splits["test"])
    assert len(test - train) > 0.3 * len(test)


def test_configured_share_of_labels_is_wrong() -> None:
    noisy, true = AS_SHIPPED.read(Path()).splits, replace(AS_SHIPPED, label_noise=0.0).read(Path()).splits
    assert noisy["test"].texts == true["test"].texts
    pairs = zip(noisy["test"].labels + noisy["train"].labels, true["test"].labels + true["train"].labels, strict=True)
    wrong = np.mean([label != true_label for label, true_label in pairs])
    assert 0.05 <= wrong <= 0.07


def test_words_alone_do_not_determine_the_label(splits: dict[str, Rows]) -> None:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = LogisticRegression(max_iter=1000, C=10).fit(
        words.fit_transform(splits["train"].texts), splits["train"].labels
    )
    predictions = model.predict(words.transform(splits["test"].texts))
    assert 0.45 <= f1_score(splits["test"].labels, predictions, average="macro") <= 0.70


def test_every_slot_of_every_phrase_can_be_filled() -> None:
    kinds = {"it", "away", "often", *synthetic_phrases.SLOTS}
    frames = [
        *synthetic_phrases.NOW,
        *synthetic_phrases.OTHERS,
        *synthetic_phrases.PAST,
        *synthetic_phrases.NEGATED,
        *synthetic_phrases.CONTRAST,
        *(frame for frames in synthetic_phrases.PREDICATES.values() for frame in frames),
        *(frame for frames in synthetic_phrases.SLOTS.values() for frame in frames),
    ]
    assert {kind for frame in frames for kind in SLOT.findall(frame)} <= kinds


def test_no_phrase_names_a_method_of_self_harm() -> None:
    values = [value for name, value in vars(synthetic_phrases).items() if name.isupper()]
    words = set(re.findall(r"[a-z]+", repr(values).lower()))
    assert not words & {"pill", "pills", "knife", "blade", "rope", "gun", "bridge", "overdose", "cut", "jump", "blood"}


@pytest.mark.parametrize(("rows", "noise"), [(-1, 0.0), (0, 0.0), (9, -0.1), (9, 0.8), (9, float("nan"))])
def test_numbers_out_of_range_are_refused(rows: int, noise: float) -> None:
    with pytest.raises(BadConfig, match=r"data\.(rows|label_noise)="):
        Synthetic(rows=rows, label_noise=noise, edition=1)
