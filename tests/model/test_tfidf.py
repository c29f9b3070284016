"""TF-IDF and logistic regression: the numbers are those of scikit-learn, and the strength is chosen on train."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression as Reference
from sklearn.pipeline import make_pipeline, make_union

from mhc.data.tfidf.learn import learned
from mhc.data.tfidf.tokenizer import TfidfTokenizer
from mhc.data.tokenizer import Encoded
from mhc.errors import BadConfig
from mhc.model.tfidf.logistic import LogisticRegression, fell_twice, folds_of
from mhc.model.tfidf.model import TfidfModel, counts, features, rarity_of
from mhc.model.tfidf.network import tfidf_linear

CHANCE = random.Random(1)
COMMON = ["river", "stone", "cloud", "lamp", "chair", "green", "seven", "walks", "north", "paper", "quiet", "spoon"]
SIGNS = ["calm calmly", "tired tiring", "panic panicky"]
LABELS = np.array([row % 3 for row in range(120)])
TEXTS = [" ".join([*CHANCE.choices(COMMON, k=6), *CHANCE.choices(SIGNS[label].split(), k=2)]) for label in LABELS]
TOKENIZER = learned(
    TfidfTokenizer(ngrams=2, longest_piece=5, max_tokens=50, lowercase=True, split_digits=False, mask=False),
    TEXTS,
    None,
    min_texts=1,
)
OPTIONS = {"strengths": [0.01, 1, 10], "folds": 4, "enough_rows": 1000}


def encoded(texts: list[str]) -> Encoded:
    ids, lengths, _ = TOKENIZER.encode(texts)
    return Encoded(ids=ids, lengths=lengths)


def solved(labels: np.ndarray, *, weights: np.ndarray | None = None, **changes: object) -> TfidfModel:
    texts = encoded(TEXTS)
    counted = counts(texts.ids, texts.lengths, len(TOKENIZER))
    rarity = rarity_of(counted)
    solver = LogisticRegression(**(OPTIONS | changes))
    solution = solver.fit(features(counted, rarity, TOKENIZER.first_piece), labels, 3, weights=weights)
    return TfidfModel(weight=solution.weight, bias=solution.bias, rarity=rarity, first_piece=TOKENIZER.first_piece)


def reference(labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the probabilities of scikit-learn's own pipeline with C = 10."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    both = make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True))
    pipeline = make_pipeline(both, Reference(C=10, max_iter=1000))
    pipeline.fit(TEXTS, labels, logisticregression__sample_weight=weights)
    probabilities: np.ndarray = pipeline.predict_proba([*TEXTS, "a new calm river"])
    return probabilities


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn(classes: int, weighted: bool) -> None:
    labels = LABELS % classes
    weights = np.where(labels == 0, 2.0, 0.5) if weighted else None
    model = solved(labels, weights=weights, strengths=[10])
    probabilities = model.probabilities(encoded([*TEXTS, "a new calm river"]), 3)
    assert np.abs(probabilities[:, :classes] - reference(labels, weights)).max() < 2e-3
    assert probabilities[:, classes:].sum() < 1e-4


def test_strength_is_the_best_one_of_cross_validation() -> None:
    texts = encoded(TEXTS)
    counted = counts(texts.ids, texts.lengths, len(TOKENIZER))
    vectors = features(counted, rarity_of(counted), TOKENIZER.first_piece)
    solution = LogisticRegression(**OPTIONS).fit(vectors, LABELS, 3, seed=1)
    assert list(solution.scores) == [0.01, 1, 10]
    assert solution.strength == max(solution.scores, key=lambda strength: solution.scores[strength])
    assert solution.rows == len(TEXTS)
    few = LogisticRegression(**(OPTIONS | {"enough_rows": 31})).fit(vectors, LABELS, 3, seed=1)
    assert few.rows == 60


def test_one_label_is_predicted_without_a_fit() -> None:
    model = solved(np.ones_like(LABELS))
    assert (model.probabilities(encoded(TEXTS), 3).argmax(axis=1) == 1).all()


def test_folds_have_equal_shares_and_authors_are_in_one() -> None:
    folds = folds_of(LABELS, None, 4, seed=1)
    assert [np.bincount(folds[label == LABELS]).tolist() for label in range(3)] == [[10] * 4] * 3
    authors = np.array([row // 6 if row < 60 else -1 for row in range(120)])
    folds = folds_of(LABELS, authors, 4, seed=1)
    assert all(len(set(folds[authors == author])) == 1 for author in range(10))
    assert len(set(folds[authors < 0])) == 4


def test_weaker_regularisation_is_not_tried_after_two_falls() -> None:
    assert not fell_twice([0.5, 0.4])
    assert not fell_twice([0.5, 0.4, 0.6])
    assert fell_twice([0.5, 0.6, 0.5, 0.55])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"strengths": []}, "strengths"),
        ({"strengths": [0]}, "strengths"),
        ({"folds": 1}, "folds"),
        ({"folds": "many"}, "folds"),
        ({"enough_rows": 0}, "enough_rows"),
        ({"penalty": 1}, "penalty"),
    ],
)
def test_invalid_solver_names_its_key(options: dict[str, object], problem: str) -> None:
    with pytest.raises(BadConfig, match=rf"^model\.solver(\.|: .*){problem}"):
        LogisticRegression(**(OPTIONS | options))


def test_padding_does_not_change_the_logits_of_the_network() -> None:
    model = solved(LABELS)
    network = tfidf_linear(3, len(TOKENIZER), 0, ["a", "b", "c"])
    network.take(model)
    ids, lengths, _ = TOKENIZER.encode(TEXTS[:2])
    padded = np.zeros((2, int(lengths.max()) + 3), np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = ids
    logits = network(torch.from_numpy(padded)).detach().numpy()
    np.testing.assert_allclose(logits, model.logits(ids, lengths), atol=1e-6)
    assert network.model().first_piece == TOKENIZER.first_piece


def test_text_without_a_known_ngram_has_the_bias() -> None:
    model = solved(LABELS)
    np.testing.assert_allclose(model.logits(np.empty(0, np.int64), np.array([0]))[0], model.bias)


def test_rows_of_any_order_are_merged_by_row() -> None:
    from mhc.model.tfidf.classifier import columns, merged

    def batch(rows: list[int]) -> dict[str, torch.Tensor]:
        texts = encoded([TEXTS[row] for row in rows])
        padded = np.zeros((len(rows), int(texts.lengths.max())), np.int64)
        padded[np.arange(padded.shape[1]) < texts.lengths[:, None]] = texts.ids
        return {
            "input_ids": torch.from_numpy(padded),
            "labels": torch.from_numpy(LABELS[rows]),
            "rows": torch.tensor(rows),
        }

    rows, texts, labels = merged(columns([batch([5, 2]), batch([0, 5, 3])]))
    assert rows.tolist() == [0, 2, 3, 5]
    assert labels.tolist() == LABELS[[0, 2, 3, 5]].tolist()
    expected = encoded([TEXTS[row] for row in (0, 2, 3, 5)])
    assert (texts.ids == expected.ids).all()
    assert (texts.lengths == expected.lengths).all()
