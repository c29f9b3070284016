"""Score a bundle again: on the test split of another run, or on a sample to check that it equals its run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mhc.errors import MhcError
from mhc.model.calibration import apply_temperature
from mhc.production import bundle, export, state
from mhc.production.decision import ConsistencyCheck
from mhc.production.export import Trained
from mhc.production.ledger import Entry
from mhc.runs import evidence
from mhc.runs.evidence import Evidence

SAMPLE = 64
"""Test examples that are scored anew."""
SAME = 1e-4
"""Largest gap between the bundle and the run's own network, both in float32."""
SAME_IN_BF16 = 2e-2
"""Mean gap to the evidence: bfloat16 keeps 8 bits, and its errors average out; other weights differ by far more."""

Texts = Callable[[Path, str], Sequence[str]]
"""The normalised texts of a run's split, in row order: `texts(run folder, "test")`."""


def rescore_bundle(
    run: Path, models: Path, entries: Sequence[Entry], texts: Texts, name: str, test: Evidence
) -> Evidence:
    """What the bundle `name` says of the examples of `test`, the evidence of `run`.

    Raises:
        MhcError: where the texts of those examples, or the bundle, cannot be read.
    """
    from mhc.data.tokenizer import Encoder
    from mhc.model.scoring import Scorer
    from mhc.production.loading import from_bundle

    test_texts = texts_of(test, texts(run, "test"), evidence.key(models))
    loaded = from_bundle(bundle.place(models, name), state.resolve(state.fold(entries), name).checksums)
    encoder = Encoder(loaded.tokenizer_folder, loaded.max_tokens)
    scorer = Scorer(loaded.network, pad_id=encoder.pad_id, masked=loaded.masked, precision="fp32", device="cpu")
    order = np.array([loaded.labels.index(label) for label in test.label_names])
    return Evidence(
        ids=test.ids,
        labels=order[test.labels],
        probabilities=scorer.probabilities(encoder(test_texts), len(loaded.labels)),
        label_names=loaded.labels,
    )


def texts_of(test: Evidence, texts: Sequence[str], key: bytes) -> list[str]:
    """The text of every example, found by its keyed id.

    Raises:
        MhcError: where some are not among `texts`.
    """
    by_id = {evidence.example_id(text, key): text for text in texts}
    found = [by_id.get(row.tobytes()) for row in test.ids]
    known = [text for text in found if text is not None]
    if len(known) < len(found):
        raise MhcError(
            f"the test texts that can be read now hold {len(known)} of the {len(found)} examples of the evidence; "
            "the data, or the key models/.evidence_key, is another one"
        )
    return known


def check_consistency(
    folder: Path, run: Path, trained: Trained, temperature: float, models: Path, texts: Texts
) -> ConsistencyCheck:
    """Score a sample by the bundle in `folder`, by the network `trained`, and hold both against the run's evidence."""
    try:
        known = evidence.read(run / "evaluation" / "test.npz")
        rows, sample = sampled(known, texts(run, "test"), evidence.key(models))
        standalone = export.standalone(trained)
        score = export.score if standalone else export.score_ours
        found = score(folder, sample, trained.max_tokens)
        own = apply_temperature(export.score_network(trained, sample), temperature)
    except (MhcError, OSError) as problem:
        return ConsistencyCheck(examples=0, flaw=str(problem))
    said = apply_temperature(known.probabilities[rows], temperature)
    return ConsistencyCheck(
        examples=len(rows),
        largest_gap=float(np.abs(found - own).max()),
        mean_gap_to_evidence=float(np.abs(found - said).mean()),
        by="transformers alone" if standalone else "mhc",
    )


def sampled(known: Evidence, texts: Sequence[str], key: bytes) -> tuple[NDArray[np.int64], list[str]]:
    """Rows of the evidence, evenly spread, and their texts. Raises MhcError where the texts are others."""
    rows = np.unique(np.linspace(0, len(known) - 1, min(SAMPLE, len(known))).astype(np.int64))
    few = Evidence(
        ids=known.ids[rows],
        labels=known.labels[rows],
        probabilities=known.probabilities[rows],
        label_names=known.label_names,
    )
    return rows, texts_of(few, texts, key)


def contradiction(proof: ConsistencyCheck) -> str:
    """How the bundle differs from its run; empty where it does not, or where it could not be checked."""
    if proof.largest_gap is None or proof.mean_gap_to_evidence is None:
        return ""
    if not proof.largest_gap <= SAME:
        return f"its probabilities differ from the run's network by up to {proof.largest_gap:.2g}"
    if not proof.mean_gap_to_evidence <= SAME_IN_BF16:
        return f"its probabilities differ from the run's evidence by {proof.mean_gap_to_evidence:.2g} on average"
    return ""
