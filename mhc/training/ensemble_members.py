"""The members of an ensemble: what they must have in common, and their predictions on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mhc.errors import BadInput, MhcError, Refused
from mhc.model.weights import Loaded
from mhc.production import build_bundle, loading
from mhc.record import RunRecord, Status
from mhc.runs import evidence, store
from mhc.runs.evidence import Evidence

SPLITS = ("train", "val", "test")


class Member(NamedTuple):
    """A run, and its model."""

    folder: Path
    record: RunRecord
    loaded: Loaded


def members_of(outputs: Path, runs: Sequence[str]) -> list[Member]:
    """Return the runs with these ids, with their models, in their order.

    Raises:
        BadInput: if a run is named twice.
        NotFound: if there is no such run, or its checkpoint is missing.
        Refused: if they cannot be averaged.
        Unreadable: if a record or a checkpoint is damaged.
    """
    found = [loading.find_run(outputs, run) for run in runs]
    records = [store.read(folder) for folder in found]
    ids = [record.id for record in records]
    if repeated := next((run_id for run_id in ids if ids.count(run_id) > 1), None):
        raise BadInput(f"The run {repeated} is named twice. Name each run once")
    refuse_unlike(records)
    return [Member(folder, record, loading.from_run(folder)) for folder, record in zip(found, records, strict=True)]


def refuse_unlike(records: Sequence[RunRecord]) -> None:
    """Refuse runs whose probabilities cannot be averaged, or not be judged on the same rows.

    Raises:
        Refused: if one is not completed or an ensemble itself, or two have other labels, rows or cleaning.
    """
    for record in records:
        if record.status != Status.COMPLETED or record.data is None:
            raise Refused(f"Run {record.id} is {record.status}. Choose completed runs")
        if record.ensemble:
            named = " ".join(member.run for member in record.ensemble)
            raise Refused(f"Run {record.id} is an ensemble itself. Name its members: {named}")
        if "val" not in record.data.splits:
            raise Refused(f"Run {record.id} has no val, on which the weights are fitted. Choose another run")
    first = records[0]
    for other in records[1:]:
        refuse_pair(first, other)


def refuse_pair(first: RunRecord, other: RunRecord) -> None:
    """Refuse two runs with other labels, rows or cleaning.

    Raises:
        Refused: if they have.
    """
    assert first.data is not None
    assert other.data is not None
    if first.data.labels != other.data.labels:
        raise Refused(
            f"{first.id} has the labels {', '.join(first.data.labels)}, and {other.id} has "
            f"{', '.join(other.data.labels)}. Average runs with the same labels in the same order"
        )
    for split in SPLITS:
        one, two = (
            facts.fingerprint[:16] if (facts := data.splits.get(split)) else "none" for data in (first.data, other.data)
        )
        if one != two:
            raise Refused(
                f"{first.id} and {other.id} have other rows of {split} (fingerprints {one} and {two}). "
                "Average runs on the same data"
            )
    cleaning = [(data.masked, data.repaired) for data in (first.data, other.data)]
    if cleaning[0] != cleaning[1]:
        raise Refused(
            f"{first.id} and {other.id} were trained on texts that are cleaned otherwise (mask, repair: {cleaning[0]} "
            f"and {cleaning[1]}). Average runs with the same data.cleaning"
        )


def predictions(members: Sequence[Member], split: str, models: Path) -> list[Evidence]:
    """Return the predictions of all members on the rows of a split, in one order of the rows.

    They are those on record, if all have them for the same rows, else the split is scored again.

    Raises:
        MhcError: if it must be scored again, and the data cannot be read any more.
    """
    try:
        parts = [evidence.read(member.folder / "evaluation" / f"{split}.npz") for member in members]
    except MhcError:
        parts = []
    if not parts or not same_rows(parts, members[0].record, split):
        parts = [scored(member, split, models) for member in members]
        if not same_rows(parts, members[0].record, split):
            raise Refused(f"The rows of {split} are not those on record any more. Restore the data, or train again")
    return [ordered(part) for part in parts]


def same_rows(parts: Sequence[Evidence], record: RunRecord, split: str) -> bool:
    """Return whether all predictions are of the same rows, and of as many as the record has."""
    data = record.data
    rows = data.splits[split].rows if data else 0
    alike = all(len(part) == rows and data and part.label_names == data.labels for part in parts)
    return alike and len({evidence.fingerprint(part) for part in parts}) == 1


def scored(member: Member, split: str, models: Path) -> Evidence:
    """Score a split again.

    Raises:
        MhcError: if the data cannot be read any more.
    """
    from mhc.inference.predictor import Predictor

    data = build_bundle.data_of_run(member.folder)
    texts, key = list(data.normalised_texts(split)), evidence.key(models)
    ids = np.frombuffer(b"".join(evidence.example_id(text, key) for text in texts), np.uint8)
    return Evidence(
        ids=ids.reshape(-1, evidence.ID_BYTES),
        labels=np.asarray(data.label_ids(split), np.int64),
        probabilities=Predictor(member.loaded).raw(texts),
        label_names=list(data.labels),
    )


def ordered(part: Evidence) -> Evidence:
    """Return the predictions in the order of their ids and labels."""
    order = np.lexsort((part.labels, *part.ids.T[::-1]))
    return Evidence(
        ids=part.ids[order],
        labels=part.labels[order],
        probabilities=part.probabilities[order],
        label_names=part.label_names,
    )
