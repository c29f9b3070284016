"""Rows whose label may be wrong, by the probabilities of a TF-IDF and logistic regression that did not see the row."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mhc.audit.findings import Labelling, Suspect
from mhc.audit.texts import are_texts
from mhc.data.cleaning import Rows
from mhc.statistics.suspect_labels import suspected_labels

FOLDS = 5
MOST_ROWS = 20_000
"""Rows that are checked; of more, a sample."""
MOST_FEATURES = 100_000
SHOWN = 50
"""Suspect rows that are named."""

Probabilities = NDArray[np.float64]


def of_rows(rows: Rows, places: Sequence[tuple[str, int]]) -> Labelling | str:
    """Return the check of the labels, or why there is none; `places` are the file and the number of each row."""
    counts = Counter(rows.labels)
    if are_texts(counts):
        return "they are texts or ids, not classes"
    usable = [row for row, text in enumerate(rows.texts) if text and counts[rows.labels[row]] >= FOLDS]
    if len(usable) > MOST_ROWS:
        usable = sorted(np.random.default_rng(0).permutation(usable)[:MOST_ROWS].tolist())
    names = sorted({rows.labels[row] for row in usable})
    if len(names) < 2 or len(usable) < 10 * len(names):
        return f"labels are checked only from 10 rows for each of two classes with {FOLDS} rows"
    part = rows.take(usable)
    given = np.searchsorted(names, part.labels)
    probabilities = out_of_fold(part, given, len(names))
    suspected = suspected_labels(given, probabilities)
    margins = probabilities[np.arange(len(given)), suspected] - probabilities[np.arange(len(given)), given]
    order = [row for row in np.argsort(-margins, kind="stable").tolist() if suspected[row] != given[row]]
    worst = [
        Suspect(
            file=places[usable[row]][0],
            row=places[usable[row]][1],
            given=names[given[row]],
            suspected=names[suspected[row]],
            probability=round(float(probabilities[row, suspected[row]]), 3),
        )
        for row in order[:SHOWN]
    ]
    accuracy = float((probabilities.argmax(axis=1) == given).mean())
    return Labelling(rows=len(given), suspects=len(order), accuracy=round(accuracy, 4), worst=worst)


def out_of_fold(rows: Rows, given: NDArray[np.int64], classes: int) -> Probabilities:
    """Return [n, classes]: probabilities of each row by a model that was not trained on it, nor on its author."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    result = np.zeros((len(given), classes))
    for train, test in folds(rows, given):
        model = make_pipeline(
            TfidfVectorizer(
                ngram_range=(1, 2),
                min_df=2,
                sublinear_tf=True,
                max_features=MOST_FEATURES,
                token_pattern=None,
                tokenizer=words,
                lowercase=True,
            ),
            LogisticRegression(C=10.0, max_iter=200),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of convergence: a ranking of rows needs no last digit
            model.fit([rows.texts[row] for row in train], given[train])
        probabilities = model.predict_proba([rows.texts[row] for row in test])
        result[np.ix_(test, model.classes_)] = probabilities
    return result


def words(text: str) -> list[str]:
    """Return the words of a text, characters in scripts without blanks."""
    from mhc.data.quality.words import words_of

    return words_of(text)


def folds(rows: Rows, given: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the rows to train on and to predict, per fold; texts of one author, and equal texts, are in one fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    authors = rows.groups or [None] * len(rows)
    units = [
        f"author {author}" if author else f"text {text.casefold()}"
        for author, text in zip(authors, rows.texts, strict=True)
    ]
    groups = np.unique(units, return_inverse=True)[1]
    number = min(FOLDS, len(np.unique(groups)))
    splitter = StratifiedGroupKFold(n_splits=number, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer units than folds
        return list(splitter.split(given, given, groups))
