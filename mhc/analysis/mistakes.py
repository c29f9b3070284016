"""The mistakes of a model on a split, from its evidence: the most confident first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from mhc.errors import MhcError
from mhc.model.calibration import apply_temperature, fit_temperature
from mhc.report.results import Mistake, Mistakes
from mhc.runs import evidence
from mhc.runs.evidence import Evidence
from mhc.statistics.suspect_labels import suspected_labels


def temperature_of(folder: Path) -> float | None:
    """Return the temperature of a run, fitted on its evidence of validation; None without any."""
    try:
        val = evidence.read(folder / "evaluation" / "val.npz")
    except (MhcError, OSError):
        return None
    return fit_temperature(val.probabilities, val.labels) if len(val) else None


def mistakes_of(split: Evidence, temperature: float | None, limit: int) -> Mistakes:
    """Return the mistakes, at most `limit` (0: all) one by one; a temperature calibrates the probabilities."""
    shown = apply_temperature(split.probabilities, 1.0 if temperature is None else temperature)
    predicted = shown.argmax(axis=1)
    suspected = suspected_labels(split.labels, shown)
    wrong = np.flatnonzero(predicted != split.labels)
    confidence = shown[wrong, predicted[wrong]]
    order = wrong[np.argsort(-confidence, kind="stable")]
    names = split.label_names
    pairs = Counter((names[split.labels[row]], names[predicted[row]]) for row in wrong.tolist())
    return Mistakes(
        rows=len(split),
        wrong=len(wrong),
        suspects=int((suspected != split.labels).sum()),
        pairs=[(*pair, count) for pair, count in pairs.most_common()],
        listed=[
            Mistake(
                place=row,
                id=split.ids[row].tobytes().hex(),
                label=names[split.labels[row]],
                predicted=names[predicted[row]],
                confidence=float(shown[row, predicted[row]]),
                of_label=float(shown[row, split.labels[row]]),
                suspect=bool(suspected[row] == predicted[row]),
            )
            for row in order[: limit or None].tolist()
        ],
    )
