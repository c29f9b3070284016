"""What a run is made of, as a sentence: the folds before a training on all rows, the members of an ensemble. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mhc.facts import Refit
from mhc.record import EnsembleMember


def refit_sentence(refit: Refit) -> str:
    """Return that the score is that of the folds, with its interval."""
    bounds = refit.f1_macro
    interval = f" ({bounds.confidence:.0%} interval {bounds.low:.3f} to {bounds.high:.3f})" if bounds else ""
    f1_macro, accuracy = refit.metrics.f1_macro or 0.0, refit.metrics.accuracy or 0.0
    return (
        f"trained on all rows; its score is that of the folds of {refit.sweep}: macro-F1 {f1_macro:.3f}{interval}, "
        f"accuracy {accuracy:.3f}, on {refit.rows:,} rows, each predicted by a model that had not seen it in training"
    )


def members_sentence(members: Sequence[EnsembleMember]) -> str:
    """Return the members of an ensemble with their weights."""
    parts = ", ".join(f"{member.run} ({member.weight:.3f})" for member in members)
    return f"an ensemble, with weights fitted on val, of {parts}; it has copies of their models"
