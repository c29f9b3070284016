"""Compare a run with other models on the same test examples: the reference model, the champion. Reads only.

If the champion has other labels on the same data, the user says which is which with `--labels`: a label of the run =
one of the champion or `new`; a label that the run no longer has = `removed`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from mhc.errors import BadInput, MhcError
from mhc.policy import PromotionPolicy
from mhc.production import bundle, state
from mhc.production.decision import Baseline
from mhc.production.state import State
from mhc.record import RunRecord
from mhc.runs import evidence, store
from mhc.runs.evidence import Evidence, Paired
from mhc.statistics.paired_comparison import Comparison, compare, joint_table, paired_recall

SCORE_COMMAND = "python -m mhc.evaluate bundle={0} data=... output=models/evaluations/{0}/today.npz"
NEW, REMOVED = "new", "removed"
"""Answers of `--labels`: for a label of the run, and for one that it no longer has."""
OTHER = "\0other"
"""Stands for the predictions of labels that only one of two models knows."""

Rescore = Callable[[str, Evidence], Evidence]
"""Called with a bundle's name and the evidence of a run; returns the bundle's evidence on the same examples."""
Labels = Mapping[str, str]
"""The champion's label of each label of the run that both know."""


def champion(
    test: Evidence,
    record: RunRecord,
    models: Path,
    name: str,
    known: list[str],
    answers: Mapping[str, str],
    picked: int,
    policy: PromotionPolicy,
    rescore: Rescore | None = None,
) -> Baseline:
    """Return the champion `name` with the labels `known`, compared on the same test examples and common labels.

    Tries the evidence in the bundle, then that of `python -m mhc.evaluate`, then `rescore`.

    Raises:
        BadInput: if an answer is not about the labels of the two models.
    """
    asked = question(test.label_names, known, answers, name)
    if asked:
        return Baseline(name=name, flaw=asked)
    common = common_labels(test.label_names, known, answers)
    same = common == {label: label for label in known} and len(test.label_names) == len(known)
    if not common:
        return Baseline(name=name, flaw=f"they have no label in common; name another task than that of {name}: --task")
    try:
        marked = high_risk(record, store.read(bundle.folder_of(models, name)), common)
    except MhcError as problem:
        return Baseline(name=name, flaw=str(problem))
    baseline = _champion(test, models, name, None if same else common, picked, policy, rescore)
    return replace(baseline, high_risk=marked, labels={} if same else common)


def high_risk(record: RunRecord, other: RunRecord, common: Labels) -> list[str]:
    """Return the labels of the champion that its data or that of the run marks as high-risk, without duplicates."""
    own = [common[label] for label in record.data.high_risk if label in common] if record.data else []
    return list(dict.fromkeys([*(other.data.high_risk if other.data else []), *own]))


def _champion(
    test: Evidence,
    models: Path,
    name: str,
    common: Labels | None,
    picked: int,
    policy: PromotionPolicy,
    rescore: Rescore | None,
) -> Baseline:
    folder = bundle.folder_of(models, name)
    paths = [folder / "evaluation" / "test.npz", *sorted((models / "evaluations" / name).glob("*.npz"))]
    baselines = [from_file(test, name, path, picked, policy, common) for path in paths]
    comparable = next((baseline for baseline in baselines if baseline.comparison), None)
    if comparable is not None:
        return comparable
    flaw = baselines[0].flaw
    if rescore is None:
        return replace(baselines[0], flaw=f"{flaw}; score it on this one with: {SCORE_COMMAND.format(name)}")
    rows = test if common is None else projected(test, common)
    rescored = _baseline(test, name, lambda: rescore(name, rows), picked, policy, common)
    if rescored.comparison:
        return rescored
    return replace(rescored, flaw=f"{flaw}; and it could not be scored on this one: {rescored.flaw}")


def from_file(
    test: Evidence, name: str, path: Path, picked: int, policy: PromotionPolicy, common: Labels | None = None
) -> Baseline:
    """Compare with the evidence at `path`, which must be of exactly the same examples (of the common labels)."""
    return _baseline(test, name, lambda: evidence.read(path), picked, policy, common)


def _baseline(
    test: Evidence,
    name: str,
    read: Callable[[], Evidence],
    picked: int,
    policy: PromotionPolicy,
    common: Labels | None,
) -> Baseline:
    try:
        paired = _paired(read(), test, common)
    except (MhcError, OSError) as problem:
        return Baseline(name=name, flaw=str(problem))
    if paired.only_first or paired.only_second:
        return Baseline(
            name=name,
            flaw=(
                f"it was scored on another test set ({paired.only_first + len(paired.labels)} examples, "
                f"{len(paired.labels)} in common with the {paired.only_second + len(paired.labels)} of this run)"
            ),
        )
    joint = joint_table(
        paired.labels, paired.first.argmax(axis=1), paired.second.argmax(axis=1), len(paired.label_names)
    )
    comparison = compare(joint, policy.champion.level, picked, policy.resamples, random())
    recalls = {label: paired_recall(joint, row) for row, label in enumerate(paired.label_names) if label != OTHER}
    return Baseline(
        name=name,
        comparison=comparison if OTHER not in paired.label_names else _without_other(comparison, len(recalls)),
        recalls=recalls,
    )


def _paired(other: Evidence, test: Evidence, common: Labels | None) -> Paired:
    if common is None:
        return evidence.pair(other, test)
    return evidence.pair(projected(other, {label: label for label in common.values()}), projected(test, common))


def projected(rows: Evidence, labels: Labels) -> Evidence:
    """Return the examples whose label both models know; predictions of another label count as `OTHER`.

    The probabilities become 1 for the predicted label and 0 for the others, because the prediction of a model is the
    most probable of all its labels, not of the common ones.
    """
    names = [*dict.fromkeys(labels.values()), OTHER]
    columns = np.array([names.index(labels.get(name, OTHER)) for name in rows.label_names], np.int64)
    kept = columns[rows.labels] < len(names) - 1
    predicted = columns[rows.probabilities[kept].argmax(axis=1)]
    return Evidence(
        ids=rows.ids[kept],
        labels=columns[rows.labels[kept]],
        probabilities=np.eye(len(names), dtype=np.float32)[predicted],
        label_names=names,
    )


def _without_other(comparison: Comparison, classes: int) -> Comparison:
    """Return the means of F1 over the common classes alone; `OTHER`, which no example has, adds a 0 to each."""
    factor = (classes + 1) / classes
    return replace(
        comparison,
        incumbent_f1_macro=comparison.incumbent_f1_macro * factor,
        challenger_f1_macro=comparison.challenger_f1_macro * factor,
        difference=comparison.difference * factor,
        low=max(-1.0, comparison.low * factor),
        high=min(1.0, comparison.high * factor),
    )


def common_labels(labels: Sequence[str], known: Sequence[str], answers: Mapping[str, str]) -> dict[str, str]:
    """Return the champion's label of each label of the run that both know.

    Args:
        labels: of the run.
        known: the labels of the champion.
        answers: a label of the run to a label of the champion or `new`; a label of the champion to `removed`.

    Raises:
        BadInput: if an answer is not about these labels.
    """
    for label, answer in answers.items():
        removed = label in known and label not in labels and answer == REMOVED
        if not removed and not (label in labels and answer in (*known, NEW)):
            raise BadInput(
                f"--labels {label}={answer} does not fit. Give a label of the run ({', '.join(labels)}) = a label of "
                f"the champion ({', '.join(known)}) or {NEW}; or a label that the run no longer has = {REMOVED}"
            )
    paired = {label: answers.get(label, label) for label in labels}
    return {label: target for label, target in paired.items() if target in known and answers.get(label) != NEW}


def open_labels(labels: Sequence[str], known: Sequence[str], answers: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that need an answer, each with the proposed one: equal but for case, else new or removed."""
    common = common_labels(labels, known, answers)
    unused = [label for label in known if label not in common.values() and label not in answers]
    by_case = {label.casefold(): label for label in unused}
    proposals = {
        label: by_case.pop(label.casefold(), NEW) for label in labels if label not in common and label not in answers
    }
    gone = [label for label in unused if label not in proposals.values() and label not in labels]
    return proposals | dict.fromkeys(gone, REMOVED)


def question(labels: Sequence[str], known: Sequence[str], answers: Mapping[str, str], champion: str) -> str:
    """Return the question about the labels, with a proposal to paste; empty if nothing is open."""
    proposals = open_labels(labels, known, answers)
    if not proposals:
        return ""
    words = shlex.quote(",".join(f"{label}={answer}" for label, answer in {**answers, **proposals}.items()))
    return (
        f"the labels of the run ({', '.join(labels)}) are not those of {champion} ({', '.join(known)}) on the same "
        f"data; say which is which, for example with --labels {words}, or name another task with --task NAME"
    )


def related_tasks(test: Evidence | str, record: RunRecord, models: Path, production: State) -> list[str]:
    """Return the tasks whose champion was tested on examples of this run, or on data of its name with a common label.

    The most similar comes first. `test` is the evidence of the run, or the reason why there is none.
    """
    similarity = {}
    for task in production.tasks:
        name = state.champion(production, task)
        if name is not None:
            similarity[task] = _similarity(
                test, record, bundle.folder_of(models, name), production.bundles[name].labels
            )
    related = [task for task, value in similarity.items() if value > 0]
    return sorted(related, key=lambda task: -similarity[task])


def _similarity(test: Evidence | str, record: RunRecord, folder: Path, labels: list[str]) -> float:
    """Return the number of common test examples; one half if only the name of the data and a label are the same."""
    try:
        ids = {row.tobytes() for row in evidence.read(folder / "evaluation" / "test.npz").ids}
        other = store.read(folder).data
    except MhcError:
        return 0.0
    if not isinstance(test, str) and (shared := sum(row.tobytes() in ids for row in test.ids)):
        return float(shared)
    own = {label.casefold() for label in record.data.labels} if record.data else set()
    same = record.data is not None and other is not None and record.data.name == other.name
    return 0.5 if same and own & {label.casefold() for label in labels} else 0.0


def random() -> np.random.Generator:
    """Return a generator with a fixed seed, so that the same evidence always gives the same verdict."""
    return np.random.default_rng(0)
