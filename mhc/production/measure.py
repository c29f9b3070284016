"""Collect the inputs of the gates for a run: from its folder, from the other runs, from the champion. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from mhc.errors import MhcError, Unreadable
from mhc.model.calibration import apply_temperature, fit_temperature
from mhc.policy import PromotionPolicy
from mhc.production import ledger, state, statistics
from mhc.production.decision import Baseline, GateInputs, Scores
from mhc.production.ledger import Entry
from mhc.production.paired_comparison import Comparison, compare, joint_table
from mhc.record import RECORD_FILE, RunRecord, Status
from mhc.runs import checkpoints, evidence, folders, store
from mhc.runs.evidence import Evidence

REFERENCE_MODEL = "linear"
MAJORITY = "the majority class"
SCORE_COMMAND = "python -m mhc.evaluate bundle={0} data=... output=models/evaluations/{0}/today.npz"

Rescore = Callable[[str, Evidence], Evidence]
"""Called with a bundle's name and the evidence of a run; returns the bundle's evidence on the same examples."""


def measure(
    folder: Path,
    record: RunRecord,
    *,
    outputs: Path,
    models: Path,
    policy: PromotionPolicy,
    near_copies: int | None = None,
    answers: Mapping[str, str] | None = None,
    rescore: Rescore | None = None,
    entries: Sequence[Entry] | None = None,
) -> GateInputs:
    """Return the inputs of the gates for the run in `folder`.

    If `near_copies` is None, the number in the record is used. `rescore` scores the champion on the run's test split,
    if it was scored on another one. `entries` are those of the ledger, if the caller has read and verified them.

    Raises:
        Unreadable: if the ledger is damaged or was changed.
    """
    entries = ledger.verified_entries(models) if entries is None else entries
    inputs = GateInputs(
        record=record,
        checkpoint_flaw=checkpoint_flaw(folder, record),
        has_diff=_has_diff(folder, record),
        near_copies=_near_copies(record) if near_copies is None else near_copies,
        answers=dict(answers or {}),
    )
    test = test_evidence(folder, record)
    if isinstance(test, str):
        return replace(inputs, scores_flaw=test)
    others = list(runs_on_same_test(outputs, record))
    picked = picked_from(record, [other for _, other in others], policy)
    return replace(
        inputs,
        scores=scores(test, validation_evidence(folder), policy),
        reference=reference(test, [] if is_reference(record) else others, policy),
        champion=champion(test, models, entries, picked, policy, rescore),
    )


def test_evidence(folder: Path, record: RunRecord) -> Evidence | str:
    """Return the evidence of the whole test split, or the reason why there is no valid one."""
    split = record.data.splits.get("test") if record.data else None
    if record.data is None or split is None:
        return "the run has no test split"
    try:
        test = evidence.read(folder / "evaluation" / "test.npz")
    except MhcError as problem:
        return str(problem)
    if test.label_names != record.data.labels:
        return "its evidence has other labels than its record"
    if len(test) != split.rows:
        return f"its evidence covers {len(test)} of the {split.rows} test rows"
    return test


def validation_evidence(folder: Path) -> Evidence | None:
    """Return the evidence of validation; None if there is no valid one."""
    try:
        validation = evidence.read(folder / "evaluation" / "val.npz")
    except MhcError:
        return None
    return validation if len(validation) else None


def scores(test: Evidence, validation: Evidence | None, policy: PromotionPolicy) -> Scores:
    """Return all measurements on the test split with their intervals; calibrated at the temperature of validation."""
    counts = statistics.confusion(test.labels, test.probabilities.argmax(axis=1), len(test.label_names))
    temperature = fit_temperature(validation.probabilities, validation.labels) if validation else None
    recalls = statistics.recall_intervals(counts, policy.confidence)
    ece = None
    if temperature is not None:
        calibrated = apply_temperature(test.probabilities, temperature)
        ece = statistics.expected_calibration_error(calibrated, test.labels)
    return Scores(
        examples=len(test),
        accuracy=statistics.accuracy_interval(counts, policy.confidence),
        f1_macro=statistics.f1_macro_interval(counts, policy.confidence, policy.resamples, _random()),
        recall=dict(zip(test.label_names, recalls, strict=True)),
        ece=ece,
        ece_before=statistics.expected_calibration_error(test.probabilities, test.labels),
        temperature=temperature,
    )


def reference(test: Evidence, others: Sequence[tuple[Path, RunRecord]], policy: PromotionPolicy) -> Baseline:
    """Return the best linear run among `others`, or the majority class if there is none or it is better."""
    majority = np.full(len(test), np.bincount(test.labels).argmax())
    baselines = [Baseline(name=MAJORITY, comparison=_compare(test, majority, 1, policy))]
    baselines += [
        baseline_from_file(test, record.id, folder / "evaluation" / "test.npz", 1, policy)
        for folder, record in others
        if is_reference(record)
    ]
    flawed = [baseline for baseline in baselines if baseline.comparison is None]
    return flawed[0] if flawed else max(baselines, key=_f1_macro)


def is_reference(record: RunRecord) -> bool:
    """Return whether the run trained the reference model; such a run is compared only with the majority class."""
    return record.model is not None and record.model.name == REFERENCE_MODEL


def _f1_macro(baseline: Baseline) -> float:
    return baseline.comparison.incumbent_f1_macro if baseline.comparison else 0.0


def champion(
    test: Evidence,
    models: Path,
    entries: Sequence[Entry],
    picked: int,
    policy: PromotionPolicy,
    rescore: Rescore | None = None,
) -> Baseline | None:
    """Return the champion of the run's task, compared on the same test examples; None if the task has none.

    Tries the evidence in the bundle, then that of `python -m mhc.evaluate`, then `rescore`.
    """
    name = state.champion(state.fold(entries), state.task_of(test.label_names))
    if name is None:
        return None
    bundle = models / "production" / name
    paths = [bundle / "evaluation" / "test.npz", *sorted((models / "evaluations" / name).glob("*.npz"))]
    baselines = [baseline_from_file(test, name, path, picked, policy) for path in paths]
    comparable = next((baseline for baseline in baselines if baseline.comparison), None)
    if comparable is not None:
        return comparable
    flaw = baselines[0].flaw
    if rescore is None:
        return replace(baselines[0], flaw=f"{flaw}; score it on this one with: {SCORE_COMMAND.format(name)}")
    rescored = _baseline(test, name, lambda: rescore(name, test), picked, policy)
    if rescored.comparison:
        return rescored
    return replace(rescored, flaw=f"{flaw}; and it could not be scored on this one: {rescored.flaw}")


def baseline_from_file(test: Evidence, name: str, path: Path, picked: int, policy: PromotionPolicy) -> Baseline:
    """Compare with the evidence at `path`, which must be of exactly the same examples."""
    return _baseline(test, name, lambda: evidence.read(path), picked, policy)


def _baseline(
    test: Evidence, name: str, read: Callable[[], Evidence], picked: int, policy: PromotionPolicy
) -> Baseline:
    try:
        paired = evidence.pair(read(), test)
    except (MhcError, OSError) as problem:
        return Baseline(name=name, flaw=str(problem))
    if paired.only_first or paired.only_second:
        return Baseline(
            name=name,
            flaw=(
                f"it was scored on another test set ({paired.only_first + len(paired.labels)} examples, "
                f"{len(paired.labels)} in common with the {len(test)} of this run)"
            ),
        )
    joint = joint_table(
        paired.labels, paired.first.argmax(axis=1), paired.second.argmax(axis=1), len(paired.label_names)
    )
    return Baseline(name=name, comparison=compare(joint, policy.champion.level, picked, policy.resamples, _random()))


def _compare(test: Evidence, predictions: NDArray[np.integer], picked: int, policy: PromotionPolicy) -> Comparison:
    joint = joint_table(test.labels, predictions, test.probabilities.argmax(axis=1), len(test.label_names))
    return compare(joint, policy.champion.level, picked, policy.resamples, _random())


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
            content = (folder / RECORD_FILE).read_bytes()
            if fingerprint.encode() not in content or folder.name == record.id:
                continue  # without decoding, which takes most of the time
            other = store.decode(content, folder)
        except (OSError, Unreadable):
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
    path = folder / checkpoint.path
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        return f"the checkpoint {checkpoint.path} is outside of the run's folder"
    if not path.is_file():
        return f"the checkpoint {checkpoint.path} is missing"
    if path.stat().st_size != checkpoint.bytes:
        return f"the checkpoint {checkpoint.path} has {path.stat().st_size} bytes instead of {checkpoint.bytes}"
    if checkpoints.sha256(path) != checkpoint.sha256:
        return f"the checkpoint {checkpoint.path} does not have the recorded sha256"
    return None


def _near_copies(record: RunRecord) -> int | None:
    split = record.data.splits.get("test") if record.data else None
    return split.near_duplicates if split else None


def _has_diff(folder: Path, record: RunRecord) -> bool:
    diff = record.lineage.git_diff
    return diff is not None and (folder / Path(diff).name).is_file()


def _random() -> np.random.Generator:
    """Return a generator with a fixed seed, so that the same evidence always gives the same verdict."""
    return np.random.default_rng(0)
