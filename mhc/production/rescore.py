"""Score a bundle on the test texts of a run: to compare the champion with it, or to check a new bundle against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mhc.data.cleaning import clean_text
from mhc.errors import MhcError
from mhc.model.calibration import apply_temperature
from mhc.production import bundle, export, state
from mhc.production.decision import ConsistencyCheck
from mhc.production.ledger import Entry
from mhc.runs import evidence
from mhc.runs.evidence import Evidence

if TYPE_CHECKING:
    from mhc.model.weights import Loaded

SAMPLE_SIZE = 64
"""Number of test examples that are scored to check a new bundle."""
MAX_GAP = 1e-4
"""Largest accepted difference between the bundle and the run's own network, both in float32."""
MAX_MEAN_GAP = 2e-2
"""Largest accepted mean difference to the evidence. The evidence may be in bfloat16, which has 8 bits; its errors
average out, while other weights differ by far more."""

Texts = Callable[[Path, str], Sequence[str]]
"""Called as `texts(run folder, "test")`; returns the normalised texts of a run's split, in row order."""


def rescore_bundle(
    run: Path, models: Path, entries: Sequence[Entry], texts: Texts, name: str, test: Evidence
) -> Evidence:
    """Return the evidence of the bundle `name` on the examples of `test`, the evidence of `run`.

    Raises:
        MhcError: if the texts of those examples, or the bundle, cannot be read.
    """
    from mhc.production.loading import from_bundle

    test_texts = texts_of(test, texts(run, "test"), evidence.key(models))
    loaded = from_bundle(bundle.folder_of(models, name), state.resolve(state.fold(entries), name).checksums)
    encoder = loaded.encoder()
    scorer = loaded.scorer(precision="fp32", device="cpu")
    clean = [clean_text(text, repair=loaded.repairs) for text in test_texts]
    position = {label: number for number, label in enumerate(loaded.labels)}
    order = np.array([position.get(label, -1) for label in test.label_names])  # -1: a label without an example
    return Evidence(
        ids=test.ids,
        labels=order[test.labels],
        probabilities=scorer.probabilities(encoder(clean), len(loaded.labels)),
        label_names=loaded.labels,
    )


def check_consistency(
    folder: Path, run: Path, trained: Loaded, temperature: float, models: Path, texts: Texts
) -> ConsistencyCheck:
    """Compare the bundle in `folder` with the network `trained` and with the run's evidence, on a sample of the test.

    A bundle that cannot be compared gets a check with a flaw.
    """
    try:
        test = evidence.read(run / "evaluation" / "test.npz")
        rows, sample = sample_rows(test, texts(run, "test"), evidence.key(models))
        score, by = export.scorer_of(trained)
        probabilities = score(folder, sample, trained.max_tokens)
        by_network = apply_temperature(export.score_network(trained, sample), temperature)
    except (MhcError, OSError) as problem:
        return ConsistencyCheck(examples=0, flaw=str(problem))
    by_evidence = apply_temperature(test.probabilities[rows], temperature)
    return ConsistencyCheck(
        examples=len(rows),
        largest_gap=float(np.abs(probabilities - by_network).max()),
        mean_gap_to_evidence=float(np.abs(probabilities - by_evidence).mean()),
        by=by,
    )


def contradiction(check: ConsistencyCheck) -> str:
    """Return how the bundle differs from its run; empty if it does not, or if it could not be checked."""
    if check.largest_gap is None or check.mean_gap_to_evidence is None:
        return ""
    if not check.largest_gap <= MAX_GAP:
        return f"its probabilities differ from the run's network by up to {check.largest_gap:.2g}"
    if not check.mean_gap_to_evidence <= MAX_MEAN_GAP:
        return f"its probabilities differ from the run's evidence by {check.mean_gap_to_evidence:.2g} on average"
    return ""


def sample_rows(test: Evidence, texts: Sequence[str], key: bytes) -> tuple[NDArray[np.int64], list[str]]:
    """Return at most `SAMPLE_SIZE` evenly spaced rows of the evidence, and their texts.

    Raises:
        MhcError: if some of them are not among `texts`.
    """
    rows = np.unique(np.linspace(0, len(test) - 1, min(SAMPLE_SIZE, len(test))).astype(np.int64))
    sample = Evidence(
        ids=test.ids[rows],
        labels=test.labels[rows],
        probabilities=test.probabilities[rows],
        label_names=test.label_names,
    )
    return rows, texts_of(sample, texts, key)


def texts_of(test: Evidence, texts: Sequence[str], key: bytes) -> list[str]:
    """Return the text of every example, matched by its keyed id.

    Raises:
        MhcError: if some of them are not among `texts`.
    """
    by_id = {evidence.example_id(text, key): text for text in texts}
    matches = [text for row in test.ids if (text := by_id.get(row.tobytes())) is not None]
    if len(matches) < len(test.ids):
        raise MhcError(
            f"the available test texts contain {len(matches)} of the {len(test.ids)} examples of the evidence; "
            "the data, or the key models/.evidence_key, has changed"
        )
    return matches
