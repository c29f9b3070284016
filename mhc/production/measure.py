"""Collect the inputs of the gates for a run: from its folder, from the other runs, from the champion. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from mhc import files
from mhc.errors import BadInput, MhcError, Unreadable
from mhc.model.calibration import apply_temperature, fit_temperature
from mhc.policy import PromotionPolicy
from mhc.production import baselines, ledger, state
from mhc.production.baselines import Rescore
from mhc.production.decision import Baseline, GateInputs, Scores
from mhc.production.ledger import Entry
from mhc.production.state import State
from mhc.record import RECORD_FILE, Content, RunRecord, Status
from mhc.runs import checkpoints, evidence, folders, store
from mhc.runs.evidence import Evidence
from mhc.statistics import estimates
from mhc.statistics.paired_comparison import Comparison, compare, joint_table

REFERENCE_MODEL = "linear"
MAJORITY = "the majority class"


def measure(
    folder: Path,
    record: RunRecord,
    *,
    outputs: Path,
    models: Path,
    policy: PromotionPolicy,
    near_copies: int | None = None,
    answers: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    task: str | None = None,
    rescore: Rescore | None = None,
    entries: Sequence[Entry] | None = None,
) -> GateInputs:
    """Return the inputs of the gates for the run in `folder`.

    If `near_copies` is None, the number in the record is used. `rescore` scores the champion on the run's test split,
    if it was scored on another one. `entries` are those of the ledger, if the caller has read and verified them.

    Raises:
        BadInput: if `labels` or `task` does not fit.
        Unreadable: if the ledger is damaged or was changed.
    """
    production = state.fold(ledger.verified_entries(models) if entries is None else entries)
    test = test_evidence(folder, record)
    inputs = replace(
        _of_the_run_alone(folder, record, near_copies, answers or {}),
        task=task_of_run(test, record, models, production, task),
    )
    if isinstance(test, str):
        return replace(inputs, scores_flaw=test)
    others = list(runs_on_same_test(outputs, record))
    picked = picked_from(record, [other for _, other in others], policy)
    return replace(
        inputs,
        most_repeated=int(np.unique(test.ids, axis=0, return_counts=True)[1].max(initial=0)),
        scores=scores(test, validation_evidence(folder), policy),
        reference=reference(test, [] if is_reference(record) else others, policy),
        champion=champion(test, record, models, production, inputs.task, labels or {}, picked, policy, rescore),
    )


def _of_the_run_alone(
    folder: Path, record: RunRecord, near_copies: int | None, answers: Mapping[str, str]
) -> GateInputs:
    """Return the inputs that need neither scores nor other models."""
    return GateInputs(
        record=record,
        checkpoint_flaw=checkpoint_flaw(folder, record),
        has_diff=has_diff(folder, record),
        near_copies=_near_copies(record) if near_copies is None else near_copies,
        answers=dict(answers),
    )


def task_of_run(test: Evidence | str, record: RunRecord, models: Path, production: State, requested: str | None) -> str:
    """Return the id of the run's task: the requested one, that of the same labels, of the same data, or a new one.

    Raises:
        BadInput: if the name of a new task is invalid.
    """
    labels = record.data.labels if record.data else []
    search = requested is None and not state.tasks_with_labels(production, labels)
    related = baselines.related_tasks(test, record, models, production) if search else []
    return state.choose_task(production, labels, requested, related)


def champion(
    test: Evidence,
    record: RunRecord,
    models: Path,
    production: State,
    task: str,
    labels: Mapping[str, str],
    picked: int,
    policy: PromotionPolicy,
    rescore: Rescore | None = None,
) -> Baseline | None:
    """Return the champion of the task, compared on the same test examples; None if the task has none.

    Raises:
        BadInput: if `labels` has an answer that is not about the labels of the run and of the champion.
    """
    name = state.champion(production, task)
    if name is None:
        if labels:
            raise BadInput("This task has no champion whose labels could differ. Leave out --labels")
        return None
    known = production.bundles[name].labels
    return baselines.champion(test, record, models, name, known, labels, picked, policy, rescore)


def test_evidence(folder: Path, record: RunRecord) -> Evidence | str:
    """Return the evidence of the whole test split, or the reason why there is no valid one."""
    split = record.data.splits.get("test") if record.data else None
    if record.data is None or split is None:
        return no_test_split(record)
    try:
        test = evidence.read(folder / "evaluation" / "test.npz")
    except MhcError as problem:
        return str(problem)
    if test.label_names != record.data.labels:
        return "its evidence has other labels than its record"
    if len(test) != split.rows:
        return f"its evidence covers {len(test)} of the {split.rows} test rows"
    return test


def no_test_split(record: RunRecord) -> str:
    """Return that the run has no test split, and of one that was trained on all rows, what its score is."""
    if record.refit is None:
        return "the run has no test split"
    score = record.refit.metrics.f1_macro or 0.0
    return (
        f"the run was trained on all rows and has no test split of its own: macro-F1 {score:.3f} is that of the folds "
        f"of {record.refit.sweep}, which are other models; give data.test to the cross-validation"
    )


def validation_evidence(folder: Path) -> Evidence | None:
    """Return the evidence of validation, or the out-of-fold one of a run without val; None if there is no valid one."""
    for name in ("val.npz", evidence.FOLDS_FILE):
        with suppress(MhcError):
            validation = evidence.read(folder / "evaluation" / name)
            return validation if len(validation) else None
    return None


def scores(test: Evidence, validation: Evidence | None, policy: PromotionPolicy) -> Scores:
    """Return all measurements on the test split with their intervals; calibrated at the temperature of validation."""
    counts = estimates.confusion(test.labels, test.probabilities.argmax(axis=1), len(test.label_names))
    temperature = fit_temperature(validation.probabilities, validation.labels) if validation else None
    recalls = estimates.recall_intervals(counts, policy.confidence)
    ece = None
    if temperature is not None:
        calibrated = apply_temperature(test.probabilities, temperature)
        ece = estimates.expected_calibration_error(calibrated, test.labels)
    return Scores(
        examples=len(test),
        accuracy=estimates.accuracy_interval(counts, policy.confidence),
        f1_macro=estimates.f1_macro_interval(counts, policy.confidence, policy.resamples, baselines.random()),
        recall=dict(zip(test.label_names, recalls, strict=True)),
        ece=ece,
        ece_before=estimates.expected_calibration_error(test.probabilities, test.labels),
        temperature=temperature,
    )


def reference(test: Evidence, others: Sequence[tuple[Path, RunRecord]], policy: PromotionPolicy) -> Baseline:
    """Return the best linear run among `others`, or the majority class if there is none or it is better."""
    majority = np.full(len(test), np.bincount(test.labels).argmax())
    references = [Baseline(name=MAJORITY, comparison=_compare(test, majority, 1, policy))]
    references += [
        baselines.from_file(test, record.id, folder / "evaluation" / "test.npz", 1, policy)
        for folder, record in others
        if is_reference(record)
    ]
    flawed = [baseline for baseline in references if baseline.comparison is None]
    return flawed[0] if flawed else max(references, key=_f1_macro)


def is_reference(record: RunRecord) -> bool:
    """Return whether the run trained the reference model; such a run is compared only with the majority class."""
    return record.model is not None and record.model.name == REFERENCE_MODEL


def _f1_macro(baseline: Baseline) -> float:
    return baseline.comparison.incumbent_f1_macro if baseline.comparison else 0.0


def _compare(test: Evidence, predictions: NDArray[np.integer], picked: int, policy: PromotionPolicy) -> Comparison:
    joint = joint_table(test.labels, predictions, test.probabilities.argmax(axis=1), len(test.label_names))
    return compare(joint, policy.champion.level, picked, policy.resamples, baselines.random())


def picked_from(record: RunRecord, others: Sequence[RunRecord], policy: PromotionPolicy) -> int:
    """Return the number of runs, this one included, from which it may have been picked by the test scores."""
    if policy.champion.picked_from == "test_set":
        return 1 + len(others)
    if record.sweep is None:
        return 1
    return 1 + sum(other.sweep is not None and other.sweep.id == record.sweep.id for other in others)


def runs_on_same_test(outputs: Path, record: RunRecord) -> Iterator[tuple[Path, RunRecord]]:
    """Yield the other completed runs that were scored on the same test split; unreadable ones are left out."""
    fingerprint = _test_fingerprint(record)
    for folder, _ in folders.iter_runs(outputs) if fingerprint else ():
        try:
            with files.reading(f"The record of {folder}"):
                content = files.read(folder / RECORD_FILE)
            if fingerprint.encode() not in content or folder.name == record.id:
                continue  # without decoding, which takes most of the time
            other = store.decode(content, folder)
        except (FileNotFoundError, Unreadable):
            continue
        if other.status == Status.COMPLETED and other.metrics.test and _test_fingerprint(other) == fingerprint:
            yield folder, other


def _test_fingerprint(record: RunRecord) -> str:
    split = record.data.splits.get("test") if record.data else None
    return split.fingerprint if split else ""


def checkpoint_flaw(folder: Path, record: RunRecord) -> str | None:
    """Return the flaw of the best checkpoint; None if it is complete and has the recorded sha256."""
    checkpoint = record.checkpoint
    if checkpoint is None:
        return "no checkpoint was recorded"
    try:
        path = checkpoints.recorded(folder, checkpoint.path)
        if path.stat().st_size != checkpoint.bytes:
            return f"the checkpoint {checkpoint.path} has {path.stat().st_size} bytes instead of {checkpoint.bytes}"
        if checkpoints.sha256(path) != checkpoint.sha256:
            return f"the checkpoint {checkpoint.path} does not have the recorded sha256"
    except Unreadable as problem:
        return str(problem)
    except FileNotFoundError:
        return f"the checkpoint {checkpoint.path} is missing"
    except OSError as problem:
        return f"the checkpoint {checkpoint.path} cannot be read: {problem.strerror}"
    return None


def _near_copies(record: RunRecord) -> int | None:
    split = record.data.splits.get("test") if record.data else None
    return split.near_duplicates if split else None


def has_diff(folder: Path, record: RunRecord) -> bool:
    """Return whether all uncommitted changes of code are beside the run."""
    contents = {change.content for change in record.lineage.git_changes}
    if Content.LEFT_OUT in contents:
        return False
    if contents and Content.KEPT not in contents:
        return True
    diff = record.lineage.git_diff
    return diff is not None and (folder / Path(diff).name).is_file()
