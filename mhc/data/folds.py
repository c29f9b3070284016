"""Cross-validation: train in folds, each held out once as the test split of its own training. Pure.

The folds depend on the rows and on `data.splitting.salt` alone, not on their order, the seed or the model, so that
models are compared on the same folds. They are stratified by label. All rows of one author, and all rows of one text,
are in one fold.
"""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from mhc.data import cleaning, fingerprint, splits
from mhc.data.cleaning import Rows
from mhc.data.options import Splitting
from mhc.errors import BadConfig, BadInput
from mhc.facts import FoldFacts

KEYS = ("folds", "fold", "fold_repeats")
"""Keys directly under `data`; `data.splitting` repeats them."""


def check(options: Splitting) -> None:
    """Check that `data.fold` is given if there are folds, and is one of them.

    Raises:
        BadConfig: if it is not.
    """
    if options.folds is None:
        if options.fold is not None:
            raise BadConfig(f"data.fold={options.fold} needs the number of folds. Give data.folds=5")
        return
    number = options.folds * options.fold_repeats
    if options.fold is None:
        raise BadConfig(
            f"data.folds={options.folds} needs data.fold: 0 to {number - 1}, or all. Run all folds with: experiment=cv"
        )
    if isinstance(options.fold, int) and not options.fold < number:
        raise BadConfig(
            f"data.fold={options.fold} is not one of the folds 0 to {number - 1} (data.folds x data.fold_repeats)"
        )


def cut(given: dict[str, Rows], options: Splitting) -> tuple[dict[str, Rows], dict[str, str], FoldFacts]:
    """Return the splits of one fold, the origin of each, and what is recorded of the folds.

    The rows of the fold are the test split, and val is cut from the others unless it is given. A test split that is
    given is not used. With `fold=all` every row is in train, no val is cut, and a test split that is given stays.

    Raises:
        BadInput: if a label has fewer texts, or there are fewer authors, than folds.
    """
    assert options.folds is not None
    rows = given["train"]
    facts = FoldFacts(
        folds=options.folds,
        repeats=options.fold_repeats,
        fold=options.fold if isinstance(options.fold, int) else None,
        rows=len(rows),
        fingerprint=fingerprint.of_rows(rows),
    )
    if facts.fold is None:
        return given, {name: "given" for name in given}, facts
    held_out = assign(rows, options.folds, options.salt, facts.fold // options.folds) == facts.fold % options.folds
    train, test = (rows.take(np.flatnonzero(part).tolist()) for part in (~held_out, held_out))
    origins = {"train": "given", "val": "given", "test": f"fold {facts.fold} of train"}
    if "val" in given:
        return {"train": train, "val": given["val"], "test": test}, origins, facts
    train, val = splits.cut(train, options.val, f"{options.salt}/val")
    by = "text" if rows.groups is None else "group"
    return {"train": train, "val": val, "test": test}, origins | {"val": f"cut from train by hash of {by}"}, facts


def assign(rows: Rows, folds: int, salt: str, repeat: int = 0) -> NDArray[np.int64]:
    """Return [rows]: the number of the fold of each row; each repeat is another assignment.

    Raises:
        BadInput: if a label has fewer texts, or there are fewer authors, than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # here: it takes a second to import

    units = units_of(rows)
    refuse_too_few(rows, units, folds)
    order = sorted(range(len(rows)), key=lambda row: splits.digest(f"{units[row]}\0{rows.labels[row]}", salt))
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units[row] for row in order))}
    groups = np.array([numbers[units[row]] for row in order])
    labels = np.array([rows.labels[row] for row in order])
    kind = StratifiedKFold if len(numbers) == len(rows) else StratifiedGroupKFold
    seed = int.from_bytes(splits.digest(f"repeat {repeat}", salt)[:4])
    result = np.empty(len(rows), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of labels that few authors have: the notes of the data name them
        parts = kind(folds, shuffle=True, random_state=seed).split(np.zeros(len(rows)), labels, groups)
        for number, (_, held_out) in enumerate(parts):
            result[np.array(order)[held_out]] = number
    return result


def units_of(rows: Rows) -> list[str]:
    """Return [rows]: what must be in one fold with it, the author, or the text if the author is unknown."""
    authors = rows.groups or [None] * len(rows)
    texts = cleaning.keys(rows)
    return [f"group {author}" if author else f"text {text}" for author, text in zip(authors, texts, strict=True)]


def refuse_too_few(rows: Rows, units: list[str], folds: int) -> None:
    """Refuse folds that cannot each have a row of every label.

    Raises:
        BadInput: if a label has fewer texts, or there are fewer authors, than folds.
    """
    label, count = min(Counter(rows.labels).items(), key=lambda item: item[1])
    if count < folds:
        raise BadInput(
            f"The label {label!r} has {count:,} rows in train, fewer than data.folds={folds}. Use fewer folds, or "
            f"leave such labels out: data.cleaning.rare_labels=drop data.cleaning.min_rows_per_label={folds}"
        )
    if len(set(units)) < folds:
        raise BadInput(f"Train has {len(set(units)):,} authors, fewer than data.folds={folds}. Use fewer folds")
