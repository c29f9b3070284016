"""Out-of-fold predictions: the evidence of the folds of one config, joined so that each row is predicted once.

A pass is one such joined prediction of all rows: one for each repeat of the folds, and for each seed of the training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mhc.errors import BadInput
from mhc.facts import FoldFacts
from mhc.record import RunRecord, Status
from mhc.runs import evidence
from mhc.runs.evidence import Evidence


class FoldRun(NamedTuple):
    """A completed training on all rows but those of one fold."""

    folder: Path
    record: RunRecord
    facts: FoldFacts


PassKey = tuple[int, int]
"""Repeat of the folds, seed of the training."""


class OutOfFold(NamedTuple):
    """The predictions of all folds of one config."""

    runs: list[FoldRun]
    """Those that are joined, by repeat, seed and fold."""
    passes: dict[PassKey, Evidence]


def fold_runs(runs: Iterable[tuple[Path, RunRecord]]) -> list[FoldRun]:
    """Return the completed runs of folds; of a fold that was trained twice, the newer run.

    Raises:
        BadInput: if there are none, or they are of several configs or of several data sets.
    """
    result = []
    for folder, record in sorted(runs, key=lambda run: run[1].created_at, reverse=True):
        facts = record.data.folds if record.data else None
        if facts is not None and facts.fold is not None and record.status == Status.COMPLETED:
            result.append(FoldRun(folder, record, facts))
    if not result:
        raise BadInput("No fold is completed")
    if len({run.record.group for run in result}) > 1:
        raise BadInput("These folds are of several configs, which have no common score. Group them with: --group seed")
    if len({(run.facts.folds, run.facts.repeats, run.facts.fingerprint) for run in result}) > 1:
        raise BadInput("These folds are of several data sets or of several numbers of folds")
    oldest_first = {(pass_of(run.record, run.facts), run.facts.fold): run for run in reversed(result)}
    return list(oldest_first.values())


def pass_of(record: RunRecord, facts: FoldFacts) -> PassKey:
    """Return the pass that a fold belongs to."""
    return facts.repeat, record.seed or 0


def join(runs: Iterable[tuple[Path, RunRecord]]) -> OutOfFold:
    """Return the joined evidence of the folds among `runs`.

    Raises:
        BadInput: if they cannot be joined, or a fold is missing.
        NotFound: if the evidence of a fold is missing.
        Unreadable: if it is damaged.
    """
    folds = fold_runs(runs)
    grouped: dict[PassKey, dict[int, FoldRun]] = {}
    for run in folds:
        assert run.facts.fold is not None
        grouped.setdefault(pass_of(run.record, run.facts), {})[run.facts.fold] = run
    facts = folds[0].facts
    refuse_missing(grouped, facts)
    passes = {key: joined([grouped[key][fold] for fold in sorted(grouped[key])], facts) for key in sorted(grouped)}
    return OutOfFold([run for key in sorted(grouped) for _, run in sorted(grouped[key].items())], passes)


def refuse_missing(grouped: Mapping[PassKey, Mapping[int, FoldRun]], facts: FoldFacts) -> None:
    """Refuse passes without the predictions of some rows.

    Raises:
        BadInput: if a fold is missing.
    """
    seeds = {seed for _, seed in grouped}
    for seed in sorted(seeds):
        for fold in range(facts.folds * facts.repeats):
            if fold not in grouped.get((fold // facts.folds, seed), {}):
                of_seed = f" with seed {seed}" if len(seeds) > 1 else ""
                raise BadInput(
                    f"Fold {fold}{of_seed} is not completed, so its rows have no prediction. "
                    "Run it with: python -m mhc.train resume_sweep=<sweep id>"
                )


def joined(runs: list[FoldRun], facts: FoldFacts) -> Evidence:
    """Return the evidence of the folds of one pass as one.

    Raises:
        BadInput: if it does not have each row once.
        NotFound: if the evidence of a fold is missing.
        Unreadable: if it is damaged.
    """
    parts = [evidence.read(run.folder / "evaluation" / "test.npz") for run in runs]
    names = parts[0].label_names
    if any(part.label_names != names for part in parts):
        raise BadInput("The folds have different labels, so their predictions cannot be joined. Train them again")
    result = Evidence(
        ids=np.concatenate([part.ids for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        label_names=names,
    )
    keys = np.concatenate([result.ids, result.labels[:, None].astype("<i8").view(np.uint8)], axis=1)
    distinct = len(np.unique(keys, axis=0))
    if distinct != facts.rows or len(result) != facts.rows:
        raise BadInput(
            f"The evidence of the folds has {len(result):,} predictions of {distinct:,} rows instead of "
            f"{facts.rows:,}. Write it again with: python -m mhc.evaluate run=<run id> split=test"
        )
    return result
