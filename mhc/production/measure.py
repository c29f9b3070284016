"""Gather what the gates need to know of a run: from its folder, from the other runs, from the champion. Reads only."""

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
from mhc.record import RunRecord, Status
from mhc.runs import checkpoints, evidence, folders, store
from mhc.runs.evidence import Evidence

REFERENCE_MODEL = "linear"
MAJORITY = "the majority class"
SCORE = "python -m mhc.evaluate bundle={0} data=... output=models/evaluations/{0}/today.npz"

Rescore = Callable[[str, Evidence], Evidence]
"""Called with a bundle's name and the evidence of a run: what the bundle says of the same examples."""


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
    """Gather the findings of the run in `folder`, as its `record` tells.

    `near_copies` of the test split, where they were counted anew, go before those on record. `rescore` scores the
    champion on the run's test split, where it was scored on another one. `entries` of the ledger, if the caller has
    read and verified it already.

    Raises:
        Unreadable: where the ledger cannot be believed.
    """
    entries = ledger.believed(models) if entries is None else entries
    scored = test_evidence(folder, record)
    found = GateInputs(
        record=record,
        checkpoint_flaw=checkpoint_flaw(folder, record),
        diff_kept=_diff_kept(folder, record),
        near_copies=_near_copies(record) if near_copies is None else near_copies,
        answers=dict(answers or {}),
    )
    if isinstance(scored, str):
        return replace(found, scores_flaw=scored)
    peers = list(others_on_test(outputs, record))
    picked = picked_from(record, [peer for _, peer in peers], policy)
    return replace(
        found,
        scores=scores(scored, validation_evidence(folder), policy),
        reference=reference(scored, [] if is_reference(record) else peers, policy),
        champion=champion(scored, models, entries, picked, policy, rescore),
    )


def test_evidence(folder: Path, record: RunRecord) -> Evidence | str:
    """The evidence of the whole test split, or why there is none that can be believed."""
    split = record.data.splits.get("test") if record.data else None
    if record.data is None or split is None:
        return "the run has no test split"
    try:
        found = evidence.read(folder / "evaluation" / "test.npz")
    except MhcError as problem:
        return str(problem)
    if found.label_names != record.data.labels:
        return "its evidence knows other labels than its record"
    if len(found) != split.rows:
        return f"its evidence covers {len(found)} of the {split.rows} test rows"
    return found


def validation_evidence(folder: Path) -> Evidence | None:
    """The evidence of validation; None where there is none to be believed."""
    try:
        found = evidence.read(folder / "evaluation" / "val.npz")
    except MhcError:
        return None
    return found if len(found) else None


def scores(test: Evidence, validation: Evidence | None, policy: PromotionPolicy) -> Scores:
    """All numbers of the test split, with their intervals, and the calibration at validation's temperature."""
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


def reference(test: Evidence, peers: Sequence[tuple[Path, RunRecord]], policy: PromotionPolicy) -> Baseline:
    """The best linear run on the same test split, or the majority class where none is on record or it is better."""
    majority = np.full(len(test), np.bincount(test.labels).argmax())
    known = [Baseline(name=MAJORITY, comparison=_compare(test, majority, 1, policy))]
    known += [
        against(test, record.id, folder / "evaluation" / "test.npz", 1, policy)
        for folder, record in peers
        if is_reference(record)
    ]
    flawed = [rival for rival in known if rival.comparison is None]
    return flawed[0] if flawed else max(known, key=_strength)


def is_reference(record: RunRecord) -> bool:
    """Tell whether the run trained the reference itself; it is held against the majority class alone."""
    return record.model is not None and record.model.name == REFERENCE_MODEL


def _strength(rival: Baseline) -> float:
    return rival.comparison.incumbent_f1_macro if rival.comparison else 0.0


def champion(
    test: Evidence,
    models: Path,
    entries: Sequence[Entry],
    picked: int,
    policy: PromotionPolicy,
    rescore: Rescore | None = None,
) -> Baseline | None:
    """The champion of the run's task on the same test examples; None where the task has none."""
    name = state.champion(state.fold(entries), state.task_of(test.label_names))
    if name is None:
        return None
    bundle = models / "production" / name
    tried = [
        against(test, name, path, picked, policy)
        for path in [bundle / "evaluation" / "test.npz", *sorted((models / "evaluations" / name).glob("*.npz"))]
    ]
    found = next((rival for rival in tried if rival.comparison), None)
    if found is None and rescore is not None:
        found = _paired(test, name, lambda: rescore(name, test), picked, policy)
    if found is None or found.comparison:
        return found or replace(tried[0], flaw=f"{tried[0].flaw}; score it on this one with: {SCORE.format(name)}")
    return replace(found, flaw=f"{tried[0].flaw}; and it could not be scored on this one: {found.flaw}")


def against(test: Evidence, name: str, path: Path, picked: int, policy: PromotionPolicy) -> Baseline:
    """Compare with the evidence at `path`, which must be of the very same examples."""
    return _paired(test, name, lambda: evidence.read(path), picked, policy)


def _paired(test: Evidence, name: str, rival: Callable[[], Evidence], picked: int, policy: PromotionPolicy) -> Baseline:
    try:
        paired = evidence.pair(rival(), test)
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


def _compare(test: Evidence, rival: NDArray[np.integer], picked: int, policy: PromotionPolicy) -> Comparison:
    joint = joint_table(test.labels, rival, test.probabilities.argmax(axis=1), len(test.label_names))
    return compare(joint, policy.champion.level, picked, policy.resamples, _random())


def picked_from(record: RunRecord, peers: Sequence[RunRecord], policy: PromotionPolicy) -> int:
    """How many runs, this one included, the run may have been picked from by their test scores."""
    if policy.champion.picked_from == "test_set":
        return 1 + len(peers)
    if record.sweep is None:
        return 1
    return 1 + sum(peer.sweep is not None and peer.sweep.id == record.sweep.id for peer in peers)


def others_on_test(outputs: Path, record: RunRecord) -> Iterator[tuple[Path, RunRecord]]:
    """The other completed runs that were scored on the same test split; what cannot be read is left out."""
    split = record.data.splits.get("test") if record.data else None
    mark = split.fingerprint.encode() if split else b""
    for folder, _ in folders.walk(outputs) if mark else ():
        try:
            content = (folder / store.RECORD).read_bytes()
            peer = store.decode(content, folder) if mark in content and folder.name != record.id else None
        except (OSError, Unreadable):
            continue
        if peer and peer.status == Status.COMPLETED and peer.metrics.test and _fingerprint(peer) == mark.decode():
            yield folder, peer


def _fingerprint(record: RunRecord) -> str:
    split = record.data.splits.get("test") if record.data else None
    return split.fingerprint if split else ""


def checkpoint_flaw(folder: Path, record: RunRecord) -> str | None:
    """What is wrong with the best checkpoint; None where it is whole and has the sha256 on record."""
    known = record.checkpoint
    if known is None:
        return "no checkpoint is on record"
    path = folder / known.path
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        return f"the checkpoint {known.path} lies outside of the run's folder"
    if not path.is_file():
        return f"the checkpoint {known.path} is gone"
    if path.stat().st_size != known.bytes:
        return f"the checkpoint {known.path} has {path.stat().st_size} bytes, on record are {known.bytes}"
    if checkpoints.sha256(path) != known.sha256:
        return f"the checkpoint {known.path} does not have the sha256 on record"
    return None


def _near_copies(record: RunRecord) -> int | None:
    split = record.data.splits.get("test") if record.data else None
    return split.near_duplicates if split else None


def _diff_kept(folder: Path, record: RunRecord) -> bool:
    diff = record.lineage.git_diff
    return diff is not None and (folder / Path(diff).name).is_file()


def _random() -> np.random.Generator:
    """Seeded: the same evidence gives the same verdict, whoever asks."""
    return np.random.default_rng(0)
